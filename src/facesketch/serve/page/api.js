// The server's API: one place for requests, the token, waiting for a place in the queue, and errors in plain words.

const MOST_TRIES = 8;
const TOKEN = "facesketch-token";

/** What went wrong, in a sentence, and what to do about it. */
export class ApiError extends Error {
  constructor(message, hint = "", status = 0) {
    super(message);
    this.hint = hint;
    this.status = status;
  }
}

const WORDS = {
  401: ["This server asks for a token.", "Reload the page and give the token."],
  403: ["The server refused this.", "Ask whoever runs it."],
  404: ["The server has nothing under this address.", "Its version may differ from this page's; reload the page."],
  413: ["The picture is too large for this server.", "Make it smaller, or save it as a JPEG."],
  415: ["This is not a picture that can be opened.", "Choose a PNG, JPEG or WebP file."],
  429: ["The server is busy.", "Wait a little and try again."],
  503: ["The server is shutting down.", "Try again when it has started anew."],
  504: ["The picture took longer than the server allows.", "Try again, or choose a smaller picture."],
};

let asking = null;
let askToken = async () => null;

/** Say who asks the user for a token; it gets whether one was refused, and gives a token or null. */
export function onTokenNeeded(asker) {
  askToken = asker;
}

function storedToken() {
  try {
    return sessionStorage.getItem(TOKEN);
  } catch {
    return null;
  }
}

/** Ask once, however many requests are waiting for the answer. */
async function newToken(refused) {
  asking ??= askToken(refused).finally(() => {
    asking = null;
  });
  const token = await asking;
  if (token) sessionStorage.setItem(TOKEN, token);
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
  let [message, hint] = WORDS[response.status] ?? [`The server answered with an error (${response.status}).`, "Try again."];
  try {
    const body = await response.json();
    if (typeof body.error === "string") [message, hint] = [body.error, body.hint ?? ""];
  } catch {
    // A proxy may answer with a page of its own; our words stand.
  }
  return new ApiError(message, hint, response.status);
}

async function send(path, token, { method = "GET", body, accept = "application/json", signal } = {}) {
  const headers = { Accept: accept };
  if (token) headers.Authorization = `Bearer ${token}`;
  try {
    return await fetch(address(path), { method, body, headers, signal, cache: "no-store", redirect: "error" });
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw new ApiError("The server does not answer.", "See whether facesketch serve is still running, then try again.");
  }
}

/** Send a request; wait where the server is full, ask for a token where it wants one. */
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

/** A picture of the server; an `img` could not send the token. */
export async function pictureBlob(path, options = {}) {
  return (await request(path, { ...options, accept: "image/*" })).blob();
}

/** The same as an object URL. */
export const pictureUrl = async (path, options) => URL.createObjectURL(await pictureBlob(path, options));

const weight = (bytes) => (bytes < 2 ** 20 ? `${Math.round(bytes / 2 ** 10)} kB` : `${(bytes / 2 ** 20).toFixed(1)} MB`);

/** A picture and its fields as a form; one that the server would refuse for its size is not sent at all. */
function form(file, values) {
  const most = server.health?.limits?.bytes ?? Infinity;
  if (file.size > most) {
    throw new ApiError(`The file has ${weight(file.size)}; this server takes at most ${weight(most)}.`, "Make it smaller, or save it as a JPEG.", 413);
  }
  const body = new FormData();
  body.append("file", file, file.name || "picture.png");
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined && value !== null && value !== "") body.append(name, String(value));
  }
  return body;
}

/** Translate a picture; `values` are direction, model, style, face, align. */
export async function translate(file, values = {}, options = {}) {
  return getJson("v1/translate", { ...options, method: "POST", body: form(file, values) });
}

/** Search the gallery for the person of a sketch; `values` are top, route, prior, face. */
export async function searchGallery(file, values = {}, options = {}) {
  return getJson("v1/search", { ...options, method: "POST", body: form(file, values) });
}

/** What the server offers; `gallery` is null, and `runs` false, where it was started without them. */
export const server = { health: null, models: [], gallery: null, runs: false };

/** Ask what the server offers. */
export async function loadServer() {
  server.health = await getJson("v1/health");
  const { gallery, runs } = server.health;
  // a gallery that cannot be read now must not keep anybody from translating; a search will say what is amiss
  const info = gallery === null ? null : getJson("v1/gallery").catch(() => ({ count: gallery, people: null }));
  [server.models, server.gallery] = await Promise.all([getJson("v1/models"), info]);
  server.runs = runs;
}
