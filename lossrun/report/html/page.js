
// Shows values under the pointer. The page can be read without this script.

const SVG = "http://www.w3.org/2000/svg";

function drawn(name, attributes, parent) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  parent.append(node);
  return node;
}

function nearest(places, x) {
  let best = 0;
  places.forEach((place, index) => {
    if (Math.abs(place - x) < Math.abs(places[best] - x)) best = index;
  });
  return best;
}

function readable(figure) {
  const values = JSON.parse(figure.querySelector("script.values").textContent);
  const svg = figure.querySelector(":scope > svg");
  const cursor = svg.querySelector(".cursor");
  const at = figure.querySelector(".legend .at output");
  const rows = [...figure.querySelectorAll(".legend li")];
  const box = figure.querySelector(".log");
  const last = values.epochs.length - 1;
  let shown = null;

  function show(index) {
    shown = index;
    const scale = box && box.checked ? "log" : "linear";
    const epoch = index === null ? last : index;
    at.textContent = values.epochs[epoch];
    rows.forEach((row, line) => { row.querySelector("output").textContent = values.lines[line].text[epoch]; });
    cursor.replaceChildren();
    if (index === null) return;
    const x = values.x[index];
    drawn("line", { x1: x, x2: x, y1: 12, y2: 236 }, cursor);
    values.lines.forEach((line, number) => {
      const y = (line[scale] || [])[index];
      if (y === null || y === undefined) return;
      const group = drawn("g", { class: rows[number].querySelector("svg g").getAttribute("class") }, cursor);
      drawn("circle", { cx: x, cy: y, r: 4.5 }, group);
    });
  }

  svg.addEventListener("pointermove", (event) => {
    const seen = svg.getBoundingClientRect();
    show(nearest(values.x, ((event.clientX - seen.left) / seen.width) * svg.viewBox.baseVal.width));
  });
  svg.addEventListener("pointerleave", () => show(null));
  svg.addEventListener("blur", () => show(null));
  svg.addEventListener("keydown", (event) => {
    const from = shown === null ? last : shown;
    const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: last }[event.key];
    if (event.key === "Escape") show(null);
    if (to === undefined) return;
    event.preventDefault();
    show(Math.min(Math.max(to, 0), last));
  });
  if (box) box.addEventListener("change", () => show(shown));
}

document.querySelectorAll("figure.curves").forEach(readable);
