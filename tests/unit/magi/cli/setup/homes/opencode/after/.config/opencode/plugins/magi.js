// Written by magi setup; if you change it, it is yours. f410d098230c678f
import { spawn } from "node:child_process";

const [program, ...args] = ["/opt/magi/bin/magi", "hook", "EVENT", "--client", "opencode"];

// One line about what waits: now (stop), or as soon as something new does (wake). Nothing, if there is nothing to say.
const line = (event, sessionID) =>
  new Promise((resolve) => {
    const child = spawn(program, args.map((word) => (word === "EVENT" ? event : word)));
    let said = "";
    child.stdout.on("data", (piece) => (said += piece));
    child.stderr.on("data", (piece) => (said += piece));
    child.on("error", () => resolve(""));
    child.on("close", () => resolve(said.trim()));
    child.stdin.on("error", () => {});
    child.stdin.end(JSON.stringify({ session_id: sessionID }));
  });

export const MagiPlugin = async ({ client }) => ({
  event: async ({ event }) => {
    if (event.type !== "session.idle") return;
    const { sessionID } = event.properties;
    const text = (await line("stop", sessionID)) || (await line("wake", sessionID));
    if (!text) return;
    await client.session.promptAsync({ path: { id: sessionID }, body: { parts: [{ type: "text", text }] } });
  },
});
