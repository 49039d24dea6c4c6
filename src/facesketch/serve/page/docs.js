// The page about the API, made from the server's own OpenAPI document.

import { getJson, onTokenNeeded } from "./api.js";
import { byId, el, errorBox } from "./dom.js";
import { askForToken } from "./token.js";

/** A text in which backticks mark code. */
const marked = (text = "") => text.split("`").map((part, place) => (place % 2 ? el("code", {}, part) : part));

/** What a field may hold, in words. */
function values({ type, format, enum: choices, minimum, exclusiveMinimum, maximum, exclusiveMaximum, default: usual }) {
  const [low, high] = [minimum ?? exclusiveMinimum, maximum ?? exclusiveMaximum];
  const range = low === undefined || high === undefined ? "" : `, ${low} to ${high}`;
  const what = choices?.join(", ") ?? (format === "binary" ? "a file" : type === "array" ? "files" : type === "string" ? "text" : type);
  return `${what}${range}${usual === undefined || usual === "" ? "" : `; ${usual} by default`}`;
}

function fields({ summary, requestBody, parameters = [] }) {
  const form = Object.entries(requestBody?.content["multipart/form-data"].schema.properties ?? {});
  const rows = [...form, ...parameters.map((each) => [each.name, each.schema])].map(([name, schema]) =>
    el("tr", {}, el("th", { scope: "row" }, el("code", {}, name)), el("td", {}, values(schema)), el("td", {}, marked(schema.description))),
  );
  const head = el("tr", {}, ["Field", "Values", "Meaning"].map((words) => el("th", { scope: "col" }, words)));
  return rows.length ? el("div", { class: "wide-table", tabindex: 0, role: "region", "aria-label": `Fields: ${summary}` }, el("table", {}, el("thead", {}, head), el("tbody", {}, rows))) : null;
}

function answers({ responses }) {
  const rows = Object.entries(responses).map(([status, { description, content = {} }]) => {
    const kinds = Object.keys(content).join(", ");
    return el("div", {}, el("dt", {}, status), el("dd", {}, status === "200" ? kinds : marked(description)));
  });
  return el("details", {}, el("summary", {}, "Answers"), el("dl", { class: "facts" }, rows));
}

function operation(path, method, told) {
  const head = el("h2", { id: told.operationId }, told.summary);
  return el("section", { "aria-labelledby": told.operationId }, head, el("p", {}, el("code", {}, `${method.toUpperCase()} ${path}`)), el("p", {}, marked(told.description)), fields(told), answers(told));
}

onTokenNeeded(askForToken);
try {
  const { paths } = await getJson("v1/openapi.json");
  const all = Object.entries(paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, told]) => operation(path, method, told)));
  byId("main").append(...all);
} catch (error) {
  byId("main").append(errorBox(error));
}
document.documentElement.dataset.ready = "true";
