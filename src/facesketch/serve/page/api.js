// The server's API: requests, the token, waiting while the server is busy, and errors in plain words.

const MOST_TRIES = 8;
const TOKEN = "facesketch-token";

/** What went wrong, in a sentence, how to mend it, and the form field that mends it, if there is one. */
export class ApiError extends Error {
  constructor(seen, hint = "", status = 0, field = "") {
    super(seen);
    Object.assign(this, { hint, status, field });
  }
}

const WORDS = {
  401: ["This server asks for a token.", "Reload the page and enter the token."],
  403: ["The server refused this request.", "Ask the person who runs it."],
  404: ["The server has nothing at this address.", "It may run another version than this page; reload the page."],
  413: ["The picture is too large for this server.", "Make it smaller, or save it as a JPEG."],
  415: ["The server cannot open this file as a picture.", "Choose a PNG, JPEG or WebP file."],
  429: ["The server is busy.", "Wait a moment and try again."],
  503: ["The server is shutting down.", "Try again when it is back."],
  504: ["The picture took longer than the server allows.", "Try again, or choose a smaller picture."],
};

let asking = null;
let remembered = null; // where storage is forbidden
/** @type {(refused: boolean) => Promise<string | null>} */
let askToken = async () => null;

/** Set the function that asks the user for a token: it is told whether one was refused, and returns a token or null. */
export function onTokenNeeded(asker) {
  askToken = asker;
}

function storedToken() {
  try {
    return sessionStorage.getItem(TOKEN) ?? remembered;
  } catch {
    return remembered;
  }
}

/** Ask once, however many requests wait for the answer. */
async function newToken(refused) {
  asking ??= askToken(refused).finally(() => {
    asking = null;
  });
  const token = await asking;
  if (!token) return null;
  remembered = token;
  try {
    sessionStorage.setItem(TOKEN, token);
  } catch {
    // It then lasts until the page is closed.
  }
  return token;
}

/** The address of `v1/…` below the page's own, so that a proxy may serve it under any path. */
const address = (path) => new URL(path.replace(/^\//, ""), document.baseURI);

const pause = (seconds, signal) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });

async function errorOf(response) {
  const [seen, hint] = WORDS[response.status] ?? [`The server answered with an error (${response.status}).`, "Try again."];
  const type = response.headers.get("Content-Type") ?? "";
  // a proxy may answer with a page of its own, and the server speaks of headers where a token is missing
  const problem = response.status !== 401 && type.startsWith("application/problem+json") ? await response.json().catch(() => ({})) : {};
  return new ApiError(problem.seen ?? seen, problem.seen ? problem.hint : hint, response.status, problem.field);
}

/**
 * @param {string} path
 * @param {string | null} token
 * @param {{method?: string, body?: FormData, accept?: string, signal?: AbortSignal}} options
 */
async function send(path, token, { method = "GET", body, accept = "application/json", signal } = {}) {
  const headers = { Accept: accept };
  if (token) headers.Authorization = `Bearer ${token}`;
  try {
    return await fetch(address(path), { method, body, headers, signal, cache: "no-store", redirect: "error" });
  } catch {
    if (signal?.aborted) throw signal.reason;
    throw new ApiError("The server does not answer.", "Check that facesketch serve is still running, then try again.");
  }
}

/**
 * Send a request; wait while the server is busy, and ask for a token if it wants one.
 * @param {string} path
 * @param {{method?: string, body?: FormData, accept?: string, signal?: AbortSignal, onWait?: (seconds: number) => void}} options
 */
export async function request(path, options = {}) {
  let token = storedToken();
  for (let attempt = 1; ; attempt += 1) {
    const response = await send(path, token, options);
    if (response.ok) return response;
    if (response.status === 401) {
      const latest = storedToken();
      token = latest && latest !== token ? latest : await newToken(Boolean(token));
      if (token) continue;
    }
    if (response.status !== 429 || attempt >= MOST_TRIES) throw await errorOf(response);
    const seconds = Math.min(30, Math.max(0.5, Number(response.headers.get("Retry-After")) || 1));
    options.onWait?.(seconds);
    await pause(seconds, options.signal);
  }
}

export const getJson = async (path, options) => (await request(path, options)).json();

/** A picture from the server; an `img` could not send the token. */
async function pictureBlob(path) {
  return (await request(path, { accept: "image/*" })).blob();
}

/** The same as an object URL. */
export const pictureUrl = async (path) => URL.createObjectURL(await pictureBlob(path));

/** The example: Eileen Collins, photographed by NASA, in the public domain. */
export async function example() {
  return new File([await pictureBlob("page/astronaut.jpg")], "astronaut.jpg", { type: "image/jpeg" });
}

const weight = (bytes) => (bytes < 2 ** 20 ? `${Math.round(bytes / 2 ** 10)} kB` : `${(bytes / 2 ** 20).toFixed(1)} MB`);

/** A picture and its fields as a form; a file that is too large for the server is not sent at all. */
function form(file, values) {
  const most = server.health?.limits?.bytes ?? Infinity;
  if (file.size > most) {
    throw new ApiError(`The file is ${weight(file.size)}; this server takes at most ${weight(most)}.`, "Make it smaller, or save it as a JPEG.", 413);
  }
  const body = new FormData();
  body.append("file", file, file.name || "picture.png");
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== null && value !== "") body.append(name, String(value));
  }
  return body;
}

/** Translate a picture; `values` are fields of the form. */
export async function translate(file, values = {}, options = {}) {
  return getJson("v1/translate", { ...options, method: "POST", body: form(file, values) });
}

/** Search the gallery for the person in a sketch; `values` are top, route, prior, face. */
export async function searchGallery(file, values) {
  return getJson("v1/search", { method: "POST", body: form(file, values) });
}

/** What the server offers; without a gallery or runs, `gallery` is null and `runs` false. */
export const server = { health: null, models: [], gallery: null, runs: false };

/** Ask what the server offers. */
export async function loadServer() {
  server.health = await getJson("v1/health");
  const { gallery, runs } = server.health;
  // a gallery that cannot be read must not prevent translating; a search will say what is wrong
  const info = gallery === null ? null : getJson("v1/gallery").catch(() => ({ count: gallery, people: null }));
  [server.models, server.gallery] = await Promise.all([getJson("v1/models"), info]);
  server.runs = runs;
}
