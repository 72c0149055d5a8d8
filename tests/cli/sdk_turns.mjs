// Drive the official TypeScript SDK: one JSON object in argv[2], one JSON object on stdout.
const request = JSON.parse(process.argv[2]);
const { Codex } = await import(request.sdk);
const codex = new Codex({ codexPathOverride: request.codex, env: request.env, config: request.config });
const options = { workingDirectory: request.cwd, skipGitRepoCheck: true, sandboxMode: "danger-full-access" };
const answer = {};

const thread = codex.startThread(options);
answer.run = await thread.run("first");
answer.id = thread.id;

const { events } = await thread.runStreamed("second");
answer.streamed = [];
for await (const event of events) answer.streamed.push(event);

const schema = { type: "object", properties: { ok: { type: "boolean" } }, required: ["ok"], additionalProperties: false };
answer.schema = await thread.run("third", { outputSchema: schema });

answer.image = await thread.run([
  { type: "text", text: "fourth" },
  { type: "text", text: "with a picture" },
  { type: "local_image", path: request.image },
]);

const resumed = codex.resumeThread(answer.id, options);
answer.resumed = await resumed.run("fifth");

try {
  await codex.startThread(options).run("fail");
} catch (error) {
  answer.failure = error.message;
}

const abort = new AbortController();
try {
  const held = await codex.startThread(options).runStreamed("hold", { signal: abort.signal });
  for await (const event of held.events) if (event.type === "turn.started") abort.abort();
} catch (error) {
  answer.aborted = error.name;
}
console.log(JSON.stringify(answer));
