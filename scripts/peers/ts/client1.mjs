// The official TypeScript client of version 1. usage: client1.mjs ENDPOINT PACKAGES, then orders on standard input
import { load, serve, versionOf } from "./peer.mjs";

const version = versionOf("@modelcontextprotocol/sdk");
const { Client } = load("@modelcontextprotocol/sdk/client/index.js");
const { auth, UnauthorizedError } = load("@modelcontextprotocol/sdk/client/auth.js");
const { StreamableHTTPClientTransport: Transport } = load("@modelcontextprotocol/sdk/client/streamableHttp.js");

const name = `Peer TypeScript ${version}`;
serve({
    name,
    Transport,
    UnauthorizedError,
    auth,
    make: () => new Client({ name, version }),
    spoken: (_, transport) => transport.protocolVersion,
    // It does not look at the issuer.
    finish: (transport, answer) => transport.finishAuth(answer.get("code")),
});
