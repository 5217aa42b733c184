
// What the page cannot do without a script: a search.

const MOST = 50; // results to show

function folded(text) {
  return text.toLowerCase().replace(/[\s_-]/g, "");
}

function indexed(node) {
  const also = (node.dataset.also || "").split("\n").filter(Boolean);
  return {
    id: node.id,
    title: node.dataset.title,
    noun: node.dataset.noun,
    name: folded(node.dataset.title),
    also: also.map((name) => [name, folded(name)]),
    text: node.textContent.toLowerCase(),
  };
}

// The smaller the better: the name itself, another name, the beginning of one, a part of one, the text. null: no match.
function ranked(entry, query, words) {
  const within = (test) => entry.also.find(([, name]) => test(name));
  if (entry.name === query) return [0, null];
  const same = within((name) => name === query);
  if (same) return [1, same[0]];
  if (entry.name.startsWith(query)) return [2, null];
  const begun = within((name) => name.startsWith(query));
  if (begun) return [3, begun[0]];
  if (entry.name.includes(query)) return [4, null];
  const part = within((name) => name.includes(query));
  if (part) return [5, part[0]];
  return words.every((word) => entry.text.includes(word)) ? [6, null] : null;
}

function result(entry, alias) {
  const item = document.createElement("li");
  const link = document.createElement("a");
  link.href = `#${entry.id}`;
  const name = document.createElement("b");
  name.textContent = entry.title;
  link.append(name, ` ${entry.noun}`);
  if (alias) link.append(document.createElement("br"), `also ${alias}`);
  item.append(link);
  return item;
}

function searches(form) {
  const box = form.querySelector("input");
  const list = form.querySelector("ol");
  const status = form.querySelector("[role=status]");
  let entries = null;

  function show() {
    const query = folded(box.value);
    document.body.classList.toggle("searching", Boolean(query));
    list.replaceChildren();
    status.textContent = "";
    if (!query) return;
    entries = entries || [...document.querySelectorAll("[data-title]")].map(indexed);
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = entries
      .map((entry, place) => ({ entry, place, rank: ranked(entry, query, words) }))
      .filter(({ rank }) => rank)
      .sort((a, b) => a.rank[0] - b.rank[0] || a.place - b.place);
    list.append(...found.slice(0, MOST).map(({ entry, rank }) => result(entry, rank[1])));
    const more = found.length > MOST ? `, the first ${MOST} are shown` : "";
    status.textContent = found.length ? `${found.length} found${more}` : "Nothing found.";
  }

  function leave() {
    box.value = "";
    show();
  }

  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const first = list.querySelector("a");
    if (first) first.click();
  });
  box.addEventListener("input", show);
  // The place is reached: on a small screen the results would lie over it.
  list.addEventListener("click", (event) => {
    if (event.target.closest("a") && matchMedia("(max-width: 64rem)").matches) leave();
  });
  form.addEventListener("keydown", (event) => {
    const links = [...list.querySelectorAll("a")];
    const at = links.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 }[event.key];
    if (to === undefined || !links.length) return;
    event.preventDefault();
    (links[Math.min(to, links.length - 1)] || box).focus();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") leave();
    const typing = /^(input|textarea|select)$/i.test(event.target.tagName);
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    box.focus();
    box.select();
  });
}

// The contents stand open; on a small screen they would hide the text, and are closed until somebody wants them.
function contents(details) {
  const wide = matchMedia("(min-width: 64rem)");
  const follow = () => { details.open = wide.matches; };
  wide.addEventListener("change", follow);
  follow();
  details.addEventListener("click", (event) => {
    if (!wide.matches && event.target.closest("li a")) details.open = false;
  });
}

// The chapter of the section that was asked for opens in the contents, and its line is marked.
function marks(nav) {
  const follow = () => {
    nav.querySelector("[aria-current]")?.removeAttribute("aria-current");
    const line = [...nav.querySelectorAll("a")].find((link) => link.hash === location.hash);
    if (!location.hash || !line) return;
    line.setAttribute("aria-current", "location");
    line.closest("details:not(.all)")?.setAttribute("open", "");
    // Where the contents lie over the text, or are already in view, nothing moves.
    if (matchMedia("(min-width: 64rem)").matches) line.scrollIntoView({ block: "nearest" });
  };
  addEventListener("hashchange", follow);
  follow();
}

searches(document.querySelector("[role=search]"));
marks(document.querySelector("nav"));
contents(document.querySelector("details.all"));
