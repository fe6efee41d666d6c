// The menu of a message, as "Apps" in Discord: with its ⋯ button, with a right click, and with the keyboard.
let names = [];
export const setMenus = (given) => { names = given; };

const menu = document.createElement("div");
menu.id = "message-menu";
menu.popover = "auto"; // A press elsewhere and Escape close it.
menu.setAttribute("role", "menu");
document.body.append(menu);

function open(button, choose, left, top) {
  const title = document.createElement("p");
  title.textContent = "Apps · Fewshot";
  const entries = names.map((name) => {
    const entry = document.createElement("button");
    entry.type = "button";
    entry.textContent = name;
    entry.setAttribute("role", "menuitem");
    entry.addEventListener("click", () => {
      menu.hidePopover();
      button.focus();
      choose(name);
    });
    return entry;
  });
  menu.replaceChildren(title, ...entries);
  menu.showPopover();
  menu.style.left = `${Math.max(8, Math.min(left, window.innerWidth - menu.offsetWidth - 8))}px`;
  menu.style.top = `${Math.max(8, Math.min(top, window.innerHeight - menu.offsetHeight - 8))}px`;
  entries[0]?.focus();
}

menu.addEventListener("keydown", (event) => {
  const entries = [...menu.querySelectorAll("button")];
  const here = entries.indexOf(document.activeElement);
  const next = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: -1 }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  entries.at(next % entries.length)?.focus();
});

// The button at a message. `click` sends the choice: a menu is a control of its message.
export function menuButton(message, click) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "message-action-button message-menu-button";
  button.textContent = "⋯";
  button.title = "Apps";
  button.setAttribute("aria-label", "Apps");
  button.setAttribute("aria-haspopup", "menu");
  button.dataset.controlKey = `message:${message.id}:action:menu`;
  const choose = (name) => click(`message:${message.id}:component:menu:${name}`);
  button.addEventListener("click", () => {
    const { right, bottom } = button.getBoundingClientRect();
    open(button, choose, right - 220, bottom + 4);
  });
  button.openAt = (left, top) => open(button, choose, left, top);
  return button;
}

document.addEventListener("contextmenu", (event) => {
  const button = event.target.closest(".channel-message")?.querySelector(".message-menu-button");
  // Links, pictures and selected words keep the browser's own menu.
  if (!button || event.target.closest("a, img") || String(window.getSelection())) return;
  event.preventDefault();
  button.openAt(event.clientX, event.clientY);
});
