// Makes pages nicer that work without it. Nothing here decides anything: the server checks all of it again.
"use strict";

// Says where the browser is, so that the next page shows its times. The server knows nothing better without it.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const isHttps = location.protocol === "https:";
const zoneCookie = `${isHttps ? "__Host-" : ""}picard_zone=${zone}`;
if (zone && !document.cookie.split("; ").includes(zoneCookie)) {
  document.cookie = `${zoneCookie}; Path=/; Max-Age=31536000; SameSite=Lax${isHttps ? "; Secure" : ""}`;
}

// A menu closes when one goes elsewhere.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, textarea, select");
  if (event.key !== "Escape" || isTyping) return;
  const open = event.target.closest("details[open]") ?? document.querySelector("details.menu[open]");
  if (open) {
    open.open = false;
    open.querySelector("summary").focus();
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

// A form is sent once. Going back to the page makes it usable again, and so does stopping: a page that has not come
// after this time will hardly come.
const release = (form) => {
  delete form.dataset.sent;
  delete form.dataset.busy;
  form.removeAttribute("aria-busy");
};
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post") return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "yes";
  form.setAttribute("aria-busy", "true");
  // What says itself when it is over may take longer.
  setTimeout(() => form.dataset.busy || release(form), 15000);
});
window.addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach(release));

// Has screen readers say something that has changed. The place is always there: one that comes with its words is not read.
const say = (words) => {
  document.getElementById("said").textContent = words;
};

// Why a page is not the one that was asked for.
function reason(page) {
  const errors = page.querySelectorAll("#errors li");
  const found = errors.length ? errors : page.querySelectorAll("main h1, main .lead");
  return [...found].map((element) => element.textContent.trim().replace(/\.$/, "")).join(". ") || document.body.dataset.failed;
}

// Asks the server for a page; answers it, whether it is what was asked for, and if not why. Scripts in it do not run.
async function ask(request) {
  try {
    const answer = await fetch(request);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    return { page, isThere: answer.ok && !answer.redirected, reason: reason(page) };
  } catch {
    return { isThere: false, reason: document.body.dataset.failed };
  }
}

// Takes over one place of a page. What failed is said above what was there before, which is not what was asked for.
function take(place, answer) {
  place.removeAttribute("aria-busy");
  place.classList.toggle("stale", !answer.isThere);
  place.querySelector(":scope > .problem")?.remove();
  if (answer.isThere) {
    place.replaceChildren(...(answer.page.getElementById(place.id)?.childNodes ?? []));
    say(place.querySelector("[data-say]")?.textContent ?? "");
  } else {
    const problem = document.createElement("p");
    problem.className = "problem";
    problem.textContent = answer.reason;
    place.prepend(problem);
    say(answer.reason);
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
    const fields = new URLSearchParams([["csrf", form.elements.csrf.value], ["text", text.value]]);
    const { page, isThere, reason } = await ask(new Request("/memories/preview", { method: "POST", body: fields }));
    if (turn !== last) return;
    if (isThere || page?.querySelector("body > .field-error")) preview.replaceChildren(...page.body.childNodes);
    else preview.textContent = reason;
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

// Tags and categories that were used before are suggested: asked for when somebody begins to use such a field.
const suggestions = document.getElementById("suggestions");
if (suggestions) {
  const suggest = async () => {
    const { page, isThere } = await ask(suggestions.dataset.from);
    if (!isThere) return;
    suggestions.replaceChildren(...page.querySelectorAll("datalist"));
    const place = document.getElementById("tag-choices");
    if (!place) return;
    const button = ({ value }) => Object.assign(document.createElement("button"), { type: "button", className: "tag", textContent: value });
    place.replaceChildren(...[...suggestions.querySelectorAll("#known-tags option")].map(button));
    place.hidden = !place.children.length;
  };
  const fields = document.querySelectorAll("main #tag, main #tags, main #category");
  const begin = () => {
    for (const field of fields) field.removeEventListener("focus", begin);
    suggest();
  };
  for (const field of fields) field.addEventListener("focus", begin);
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
    results.setAttribute("aria-busy", "true");
    const answer = await ask(path);
    if (now !== turn) return;
    take(results, answer);
    if (answer.isThere) history.replaceState(null, "", path);
  };
  asking.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(search, 300);
  });
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
    place.setAttribute("aria-busy", "true");
    const answer = await ask(isSent ? new Request(form.action, { method: "POST", body: fields }) : `${form.action}?${fields}`);
    if (now !== turn) return;
    // Boxes that were ticked or cleared since then stay so.
    const ticked = [...place.querySelectorAll("input:checked")];
    take(place, answer);
    if (!answer.isThere) return;
    for (const box of place.querySelectorAll("input[type=checkbox]")) box.checked = ticked.some((old) => old.name === box.name);
    const missing = ticked.filter((old) => !place.querySelector(`[name="${CSS.escape(old.name)}"]`));
    place.append(...missing.map((old) => old.closest("label")));
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
const question = document.getElementById("ask");
if (question) {
  const section = document.getElementById("answer-section");
  const answer = document.getElementById("answer");
  const put = (words, kind) => {
    const paragraph = document.createElement("p");
    paragraph.className = kind;
    paragraph.textContent = words;
    answer.replaceChildren(paragraph);
    return paragraph;
  };
  const receive = (block, growing) => {
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
      put(data.message, "problem");
    }
    return kind === "done" || kind === "error";
  };
  const listen = async () => {
    const body = new URLSearchParams(new FormData(question));
    const response = await fetch(question.dataset.stream, { method: "POST", body });
    if (!response.ok || response.redirected) {
      // The page itself explains what is wrong, and keeps the question.
      question.submit();
      return;
    }
    const growing = put(question.dataset.thinking, "card growing");
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let unread = "";
    let isOver = false;
    while (!isOver) {
      const { value, done } = await reader.read();
      if (done) throw new Error(question.dataset.broken);
      unread += value;
      const blocks = unread.split("\n\n");
      unread = blocks.pop();
      for (const block of blocks) isOver = receive(block, growing) || isOver;
    }
  };
  question.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (question.dataset.busy) return;
    question.dataset.busy = "yes";
    section.hidden = false;
    answer.setAttribute("aria-busy", "true");
    try {
      await listen();
    } catch {
      put(question.dataset.broken, "problem");
    }
    answer.removeAttribute("aria-busy");
    release(question);
  });
}

// A file or a text is sent without leaving the page, so that one sees how far it is and loses nothing if it is refused.
const sending = document.getElementById("sending");
if (sending) {
  const form = document.getElementById("import");
  const drop = document.getElementById("drop");
  const file = document.getElementById("file");
  const [bar, words] = sending.children;
  const tell = (text) => {
    if (words.textContent === text) return;
    words.textContent = text;
    say(text);
  };
  const refuse = (text) => {
    release(form);
    bar.hidden = true;
    words.className = "field-error";
    tell(text);
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (form.dataset.busy) return;
    form.dataset.busy = "yes";
    const request = new XMLHttpRequest();
    sending.hidden = bar.hidden = false;
    words.className = "";
    bar.removeAttribute("value");
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      bar.value = (100 * loaded) / total;
      const tenth = Math.floor((10 * loaded) / total) * 10;
      tell(loaded < total ? sending.dataset.sending.replace("{}", tenth) : sending.dataset.taking);
    });
    request.addEventListener("load", () => {
      if (/\/import\/[^/]+$/.test(request.responseURL)) {
        location.assign(request.responseURL);
        return;
      }
      const page = new DOMParser().parseFromString(request.responseText, "text/html");
      refuse(reason(page));
    });
    request.addEventListener("error", () => refuse(document.body.dataset.failed));
    request.open("POST", form.action);
    request.send(new FormData(form));
  });
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files.length) file.files = event.dataTransfer.files;
  });
}

// An import that is under way is looked at again by itself. Only words and numbers change: whoever is on a control stays there.
const progress = document.getElementById("progress");
if (progress?.dataset.again) {
  const copy = (page) => {
    const status = document.getElementById("progress-status");
    const former = status.textContent;
    for (const id of ["status", "figures", "total", "wrong"]) {
      document.getElementById(`progress-${id}`).textContent = page.getElementById(`progress-${id}`).textContent;
    }
    const [bar, newBar] = [document, page].map((place) => place.getElementById("progress-bar"));
    bar.max = newBar.max;
    bar.value = newBar.value;
    const [rows, newRows] = [document, page].map((place) => place.getElementById("progress-rows"));
    rows.append(...[...newRows.children].slice(rows.children.length));
    for (const id of ["errors", "again"]) {
      const [part, newPart] = [document, page].map((place) => place.getElementById(`progress-${id}`));
      if (newPart.hidden && part.contains(document.activeElement)) document.getElementById("progress-heading").focus();
      part.hidden = newPart.hidden;
    }
    if (status.textContent !== former) say(`${status.textContent}. ${document.getElementById("progress-figures").textContent}`);
    return Boolean(page.getElementById("progress").dataset.again);
  };
  const look = async () => {
    const { page, isThere } = document.hidden ? {} : await ask(progress.dataset.again);
    if (!isThere || copy(page)) setTimeout(look, 2000);
  };
  setTimeout(look, 2000);
}
