"use strict";
// A theme other than the system's.

function themes(button) {
  const names = ["auto", "light", "dark"];
  let chosen = 0;
  const say = () => { button.textContent = `Theme: ${names[chosen]}`; };
  button.addEventListener("click", () => {
    chosen = (chosen + 1) % names.length;
    if (chosen) document.documentElement.dataset.theme = names[chosen];
    else delete document.documentElement.dataset.theme;
    say();
  });
  say();
  button.hidden = false;
}

themes(document.getElementById("theme"));
