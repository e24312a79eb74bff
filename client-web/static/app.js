// Makes pages nicer that work without it. Nothing here decides anything: the server checks all of it again.
"use strict";

// Says where the browser is, so that the next page shows its times. The server knows nothing better without it.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.split("; ").includes(`picard_zone=${zone}`)) {
  document.cookie = `picard_zone=${zone}; Path=/; Max-Age=31536000; SameSite=Lax`;
}

// A menu closes when one goes elsewhere.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, textarea, select");
  if (event.key === "Escape") {
    const open = event.target.closest("details[open]") ?? document.querySelector("details.menu[open]");
    if (open && !isTyping) {
      open.open = false;
      open.querySelector("summary").focus();
    }
  } else if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const finder = document.querySelector("#q, #top-q");
    if (finder) {
      event.preventDefault();
      finder.focus();
    }
  }
});

// Of several forms on a page one is sent. What was typed into the others goes along, should the page come back with
// an error. Passwords stay where they are.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || !form.closest("main")) return;
  for (const other of document.querySelectorAll("form[data-kept]")) {
    if (other === form) continue;
    for (const field of other.elements) {
      if (!field.name || field.type === "hidden" || field.type === "password" || field.type === "submit") continue;
      const name = `kept_${field.name}`;
      const kept = form.elements[name] ?? Object.assign(document.createElement("input"), { type: "hidden", name });
      kept.value = field.type !== "checkbox" || field.checked ? field.value : "";
      form.append(kept);
    }
  }
});

// A form is sent once. Going back to the page makes it usable again.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
  form.setAttribute("aria-busy", "true");
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    form.removeAttribute("aria-busy");
  }
});

// Shows what the server makes of something. Its answers are cleaned there; scripts in them would not run.
async function show(place, request) {
  try {
    const answer = await fetch(request);
    if (!answer.ok || answer.redirected) return false;
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = parsed.getElementById(place.id) ?? parsed.body;
    place.replaceChildren(...found.childNodes);
    return true;
  } catch {
    return false;
  }
}

// The preview follows the text, a moment after one stops typing.
const preview = document.getElementById("preview");
if (preview) {
  const text = document.getElementById("text");
  const form = text.form;
  const button = form.querySelector("button[name=preview]");
  let last = 0;
  let timer;
  const draw = async () => {
    const turn = ++last;
    const draft = preview.cloneNode(false);
    const fields = new URLSearchParams([["csrf", form.elements.csrf.value], ["text", text.value]]);
    const request = new Request("/memories/preview", { method: "POST", body: fields });
    if ((await show(draft, request)) && turn === last) preview.replaceChildren(...draft.childNodes);
  };
  button.setAttribute("aria-expanded", String(!preview.hidden));
  button.setAttribute("aria-controls", "preview");
  button.addEventListener("click", (event) => {
    event.preventDefault();
    preview.hidden = !preview.hidden;
    button.setAttribute("aria-expanded", String(!preview.hidden));
    if (!preview.hidden) draw();
  });
  text.addEventListener("input", () => {
    clearTimeout(timer);
    if (!preview.hidden) timer = setTimeout(draw, 350);
  });
}

// Tags that were used before are added with a click.
const choices = document.getElementById("tag-choices");
if (choices) {
  choices.addEventListener("click", (event) => {
    const chosen = event.target.closest("button");
    if (!chosen) return;
    const tags = document.getElementById("tags");
    const list = tags.value.split(",").map((tag) => tag.trim()).filter(Boolean);
    if (!list.includes(chosen.textContent)) list.push(chosen.textContent);
    tags.value = list.join(", ");
    tags.focus();
  });
}

// Searching while one types: the same page is asked for, and only its results are taken over.
const asking = document.getElementById("asking");
if (asking) {
  const results = document.getElementById("results");
  let turn = 0;
  let timer;
  const search = async () => {
    const now = ++turn;
    const fields = [...new FormData(asking)].filter(([, value]) => value !== "");
    const path = `/search?${new URLSearchParams(fields)}`;
    const draft = results.cloneNode(false);
    results.setAttribute("aria-busy", "true");
    const isThere = await show(draft, path);
    if (now !== turn) return;
    results.removeAttribute("aria-busy");
    if (isThere) {
      results.replaceChildren(...draft.childNodes);
      history.replaceState(null, "", path);
    }
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(search, 300);
  };
  asking.addEventListener("input", soon);
  asking.addEventListener("submit", () => clearTimeout(timer));
}

// People are looked for while one types: the page is asked for as its button would, and only its list is taken over.
for (const field of document.querySelectorAll("[data-finds]")) {
  const place = document.getElementById(field.dataset.finds);
  const form = field.form;
  let turn = 0;
  let timer;
  const find = async () => {
    const now = ++turn;
    const fields = new URLSearchParams(new FormData(form));
    const isSent = form.method === "post";
    if (isSent) fields.set("find", "1");
    const request = isSent ? new Request(form.action, { method: "POST", body: fields }) : `${form.action}?${fields}`;
    const draft = place.cloneNode(false);
    place.setAttribute("aria-busy", "true");
    const isThere = await show(draft, request);
    if (now !== turn) return;
    place.removeAttribute("aria-busy");
    if (isThere) place.replaceChildren(...draft.childNodes);
  };
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(find, 300);
  });
}

// What was just done is said once: whoever comes back to the page or keeps its address does not read it again.
const address = new URL(location.href);
if (address.searchParams.has("done")) {
  address.searchParams.delete("done");
  history.replaceState(null, "", address);
}

// An answer is shown while it is written. At the end comes the same with links to what it rests on, cleaned by the server.
const ask = document.getElementById("ask");
if (ask) {
  const section = document.getElementById("answer-section");
  const answer = document.getElementById("answer");
  const say = (words, kind) => {
    const paragraph = document.createElement("p");
    paragraph.className = kind;
    paragraph.textContent = words;
    answer.replaceChildren(paragraph);
    return paragraph;
  };
  const take = (block, growing) => {
    const kind = block.match(/^event: (.*)$/m)?.[1];
    const data = JSON.parse(block.match(/^data: (.*)$/m)?.[1] ?? "{}");
    if (kind === "token") {
      if (!growing.dataset.begun) growing.textContent = "";
      growing.dataset.begun = "yes";
      growing.append(data.text);
    } else if (kind === "done") {
      const parsed = new DOMParser().parseFromString(data.html, "text/html");
      answer.replaceChildren(...parsed.body.childNodes);
    } else if (kind === "error") {
      say(data.message, "problem");
    }
    return kind === "done" || kind === "error";
  };
  const listen = async () => {
    const body = new URLSearchParams(new FormData(ask));
    const response = await fetch(ask.dataset.stream, { method: "POST", body });
    if (!response.ok || response.redirected) {
      // The page itself explains what is wrong, and keeps the question.
      ask.submit();
      return;
    }
    const growing = say(ask.dataset.thinking, "card growing");
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let unread = "";
    let isOver = false;
    while (!isOver) {
      const { value, done } = await reader.read();
      if (done) throw new Error(ask.dataset.broken);
      unread += value;
      const blocks = unread.split("\n\n");
      unread = blocks.pop();
      for (const block of blocks) isOver = take(block, growing) || isOver;
    }
  };
  ask.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (ask.dataset.sent) return;
    section.hidden = false;
    answer.setAttribute("aria-busy", "true");
    try {
      await listen();
    } catch {
      say(ask.dataset.broken, "problem");
    }
    answer.removeAttribute("aria-busy");
    delete ask.dataset.sent;
    ask.removeAttribute("aria-busy");
  });
}

// A file is sent as it is, chosen or dropped. Without this script its text can be pasted.
const drop = document.getElementById("drop");
if (drop) {
  const form = document.getElementById("import");
  const file = document.getElementById("file");
  const status = document.getElementById("file-status");
  const formats = { csv: "csv", json: "json" };
  const send = async (chosen) => {
    if (!chosen) return;
    const fields = new URLSearchParams({ format: formats[chosen.name.split(".").pop().toLowerCase()] ?? "ndjson" });
    if (form.elements.strict.checked) fields.set("strict", "yes");
    status.textContent = status.dataset.sending;
    const headers = { "x-csrf-token": form.elements.csrf.value, "content-type": "application/octet-stream" };
    try {
      const answer = await fetch(`/import/file?${fields}`, { method: "POST", headers, body: chosen });
      if (answer.redirected) {
        location.assign(answer.url);
        return;
      }
      const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
      const words = [...parsed.querySelectorAll("main h1, main .lead")].map((element) => element.textContent);
      status.textContent = words.join(" – ");
    } catch (problem) {
      status.textContent = problem.message;
    }
    file.value = "";
  };
  file.addEventListener("change", () => send(file.files[0]));
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    send(event.dataTransfer.files[0]);
  });
}

// An import that is under way is looked at again by itself.
const progress = document.getElementById("progress");
if (progress?.dataset.again) {
  const look = async () => {
    if (!document.hidden) await show(progress, progress.dataset.again);
    if (progress.querySelector("a")) setTimeout(look, 2000);
  };
  setTimeout(look, 2000);
}
