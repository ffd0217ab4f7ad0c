// Happy paths of the official clients, against the server named in MOCK_URL.
// Each case prints nothing; what it found is one JSON object at the end.

import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const url = process.env.MOCK_URL;
const openai = new OpenAI({ apiKey: "sk-test", baseURL: url, maxRetries: 2 });
const anthropic = new Anthropic({
  apiKey: "sk-test", baseURL: url.replace(/\/v1$/, ""), maxRetries: 2,
});

const functionTool = {
  type: "function", name: "exec_command", description: "runs a command",
  parameters: { type: "object", properties: { cmd: { type: "string" } } },
  strict: false,
};
const chatTool = { type: "function", function: {
  name: "exec_command", description: "runs a command",
  parameters: functionTool.parameters } };
const messagesTool = {
  name: "exec_command", description: "runs a command",
  input_schema: functionTool.parameters,
};

// A conversation of two turns: a tool call, its result, the answer.

async function responses() {
  const ask = (input) => openai.responses.create(
    { model: "scripted", input, tools: [functionTool], store: false });
  const first = await ask([{ role: "user", content: "go" }]);
  const call = first.output.find((item) => item.type === "function_call");
  const second = await ask([
    { role: "user", content: "go" }, ...first.output,
    { type: "function_call_output", call_id: call.call_id, output: "42 lines" },
  ]);
  return { name: call.name, arguments: JSON.parse(call.arguments),
    text: second.output_text, status: second.status,
    tokens: second.usage.input_tokens };
}

async function responsesStream() {
  const stream = openai.responses.stream(
    { model: "scripted", input: "stream", tools: [functionTool] });
  let deltas = "";
  const kinds = new Set();
  stream.on("event", (event) => kinds.add(event.type));
  stream.on("response.output_text.delta", (event) => {
    deltas += event.delta;
  });
  const final = await stream.finalResponse();
  const text = final.output.flatMap((item) => item.content ?? [])
    .map((part) => part.text ?? "").join("");
  return { deltas, text, status: final.status,
    kinds: [...kinds].sort(), tokens: final.usage.output_tokens };
}

async function chat() {
  const ask = (messages) => openai.chat.completions.create(
    { model: "scripted", messages, tools: [chatTool] });
  const first = await ask([{ role: "user", content: "go" }]);
  const message = first.choices[0].message;
  const call = message.tool_calls[0];
  const second = await ask([
    { role: "user", content: "go" }, message,
    { role: "tool", tool_call_id: call.id, content: "42 lines" },
  ]);
  return { name: call.function.name,
    arguments: JSON.parse(call.function.arguments),
    reason: first.choices[0].finish_reason,
    text: second.choices[0].message.content,
    tokens: second.usage.prompt_tokens };
}

async function chatStream() {
  const stream = openai.chat.completions.stream({
    model: "scripted", messages: [{ role: "user", content: "stream" }],
    stream_options: { include_usage: true },
  });
  let deltas = "";
  stream.on("content", (delta) => {
    deltas += delta;
  });
  const final = await stream.finalChatCompletion();
  return { deltas, text: final.choices[0].message.content,
    reason: final.choices[0].finish_reason,
    tokens: final.usage.completion_tokens };
}

async function messages() {
  const ask = (list) => anthropic.messages.create(
    { model: "scripted", max_tokens: 100, messages: list,
      tools: [messagesTool] });
  const first = await ask([{ role: "user", content: "go" }]);
  const call = first.content.find((block) => block.type === "tool_use");
  const second = await ask([
    { role: "user", content: "go" },
    { role: "assistant", content: first.content },
    { role: "user", content: [{ type: "tool_result", tool_use_id: call.id,
      content: "42 lines" }] },
  ]);
  return { name: call.name, arguments: call.input, reason: first.stop_reason,
    text: second.content.map((block) => block.text ?? "").join(""),
    tokens: second.usage.input_tokens };
}

async function messagesStream() {
  const stream = anthropic.messages.stream({
    model: "scripted", max_tokens: 100,
    messages: [{ role: "user", content: "stream" }],
  });
  let deltas = "";
  stream.on("text", (delta) => {
    deltas += delta;
  });
  const final = await stream.finalMessage();
  return { deltas, reason: final.stop_reason,
    text: final.content.map((block) => block.text ?? "").join(""),
    tokens: final.usage.output_tokens };
}

// The clients' own error types, and their own retries.

async function errors() {
  const found = {};
  try {
    await openai.responses.create({ model: "scripted", input: "forbidden" });
  } catch (error) {
    found.openai = [error.constructor.name, error.status];
  }
  try {
    await anthropic.messages.create({ model: "scripted", max_tokens: 10,
      messages: [{ role: "user", content: "forbidden" }] });
  } catch (error) {
    found.anthropic = [error.constructor.name, error.status];
  }
  const again = await openai.responses.create(
    { model: "scripted", input: "busy" });
  found.retried = again.output_text;
  return found;
}

async function models() {
  const ids = [];
  for await (const model of openai.models.list()) ids.push(model.id);
  return ids;
}

const cases = { responses, responsesStream, chat, chatStream, messages,
  messagesStream, errors, models };
const found = {};
for (const [name, run] of Object.entries(cases)) {
  try {
    found[name] = await run();
  } catch (error) {
    found[name] = { error: `${error.constructor.name}: ${error.message}` };
  }
}
console.log(JSON.stringify(found));
