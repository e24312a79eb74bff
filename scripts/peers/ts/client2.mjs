// The official TypeScript client of version 2. usage: client2.mjs ENDPOINT PACKAGES, then orders on standard input
import { load, serve, versionOf } from "./peer.mjs";

const version = versionOf("@modelcontextprotocol/client");
const { auth, Client, StreamableHTTPClientTransport: Transport, UnauthorizedError } = load("@modelcontextprotocol/client");

const name = `Peer TypeScript ${version}`;
serve({
    name,
    Transport,
    UnauthorizedError,
    auth,
    make: (era) => new Client({ name, version }, { versionNegotiation: { mode: era === "2026-07-28" ? "auto" : "legacy" } }),
    spoken: (client) => client.getNegotiatedProtocolVersion(),
    finish: (transport, answer) => transport.finishAuth(answer),
});
