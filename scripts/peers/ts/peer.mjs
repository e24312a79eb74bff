// What the peers for both versions of the TypeScript client have in common. They decide nothing: orders come in as lines
// of JSON, and what came of them goes out the same way, together with every HTTP exchange and every page that a person
// would have to see. ts_client.py gives the orders, judges, and plays the person.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

const [endpoint, packages] = process.argv.slice(2);
const REDIRECT_URI = "http://127.0.0.1:53685/callback";

// The packages are in a cache, not beside this file, so that nothing is installed into the project.
export const load = createRequire(join(packages, "package.json"));

export function versionOf(name) {
    return JSON.parse(readFileSync(join(packages, "node_modules", name, "package.json"), "utf8")).version;
}

let answered;

function say(message) {
    process.stdout.write(JSON.stringify(message) + "\n");
}

// Asks the person's browser to go somewhere; the answer is where it would be sent back to.
function authorize(url) {
    const answer = new Promise((resolve) => (answered = resolve));
    say({ authorize: url, redirect_uri: REDIRECT_URI });
    return answer;
}

// fetch, with a report.
async function reported(input, init = {}) {
    const response = await fetch(input, init);
    const streams = (response.headers.get("content-type") ?? "").startsWith("text/event-stream");
    say({
        http: {
            method: init.method ?? "GET",
            url: String(input),
            sent: init.body === undefined ? "" : String(init.body),
            request_headers: Object.fromEntries(new Headers(init.headers)),
            status: response.status,
            headers: Object.fromEntries(response.headers),
            body: streams ? "" : await response.clone().text(),
        },
    });
    return response;
}

// What a host keeps for its client. It has no secret, as a program on a person's machine.
class Provider {
    constructor(name) {
        this.redirectUrl = REDIRECT_URI;
        this.clientMetadata = {
            client_name: name,
            redirect_uris: [REDIRECT_URI],
            grant_types: ["authorization_code", "refresh_token"],
            response_types: ["code"],
            token_endpoint_auth_method: "none",
        };
        this.kept = {};
    }

    state = () => (this.kept.state = crypto.randomUUID());
    clientInformation = () => this.kept.client;
    saveClientInformation = (client) => void (this.kept.client = client);
    tokens = () => this.kept.tokens;
    saveTokens = (tokens) => void (this.kept.tokens = tokens);
    codeVerifier = () => this.kept.verifier;
    saveCodeVerifier = (verifier) => void (this.kept.verifier = verifier);
    discoveryState = () => this.kept.discovery;
    saveDiscoveryState = (discovery) => void (this.kept.discovery = discovery);
    redirectToAuthorization = (url) => void (this.waiting = authorize(String(url)));
}

// `make(era)` makes a client of its version that has `connect`, and `spoken` tells what it agreed on with the server.
// `finish` hands the answer of the authorization endpoint to a transport.
export function serve({ name, Transport, UnauthorizedError, auth, make, spoken, finish }) {
    const provider = new Provider(name);
    let client, transport;

    async function finishSignIn() {
        const answer = new URL(await provider.waiting).searchParams;
        provider.waiting = undefined;
        if (answer.get("state") !== provider.kept.state) throw new Error("the state is another one");
        if (!answer.has("code")) throw new Error(`the authorization endpoint answered ${answer}`);
        await finish(transport, answer);
    }

    // A client that needs its person stops with UnauthorizedError; with the person's answer it is tried again.
    async function signingIn(work) {
        for (;;) {
            try {
                return await work();
            } catch (error) {
                if (!(error instanceof UnauthorizedError) || !provider.waiting) throw error;
                await finishSignIn();
            }
        }
    }

    const orders = {
        async connect({ era }) {
            await signingIn(async () => {
                client = make(era);
                client.fallbackNotificationHandler = async ({ method, params }) => say({ notified: { method, params } });
                transport = new Transport(new URL(endpoint), { authProvider: provider, fetch: reported });
                await client.connect(transport);
            });
            return { version: spoken(client, transport), capabilities: client.getServerCapabilities() };
        },
        // What a host does to ask the person anew, for more.
        async signIn({ scope }) {
            provider.kept.tokens = undefined;
            await auth(provider, { serverUrl: endpoint, scope, fetchFn: reported });
            await finishSignIn();
        },
        // Resolves with what the server granted; what it tells later goes out by itself.
        listen: async (filter) => (await client.listen(filter)).honoredFilter,
        kept: () => provider.kept,
        // Tokens as a host would find them later.
        keep: (kept) => void Object.assign(provider.kept, kept),
        close: () => client.close(),
    };

    async function run({ order, parameters }) {
        try {
            const work = orders[order] ?? ((given) => signingIn(() => client[order](given)));
            say({ done: (await work(parameters)) ?? null });
        } catch (error) {
            say({ failed: { name: error.name ?? "", code: error.code ?? null, message: String(error.message ?? error) } });
        }
    }

    createInterface({ input: process.stdin })
        .on("line", (line) => {
            const message = JSON.parse(line);
            if ("answer" in message) answered(message.answer);
            else void run(message);
        })
        .on("close", () => process.exit());
}
