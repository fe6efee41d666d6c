import { setMenus } from "./menus.js";

// The list of channels and people. Each entry is an address; the page loads anew when its address changes.
const [secret, channel = "", person = ""] = window.location.hash.slice(1).split(".");
const nav = document.getElementById("places");

const element = (name, text, className = "") => {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
};

const entry = (text, className, here, address) => {
  const link = element("a", text, className);
  link.href = `#${address}`;
  if (here) link.setAttribute("aria-current", "page");
  return link;
};

const people = [
  (name) => `${name} · runs this server`,
  (name) => `${name} · a member`,
];

function draw(places) {
  const channelHere = places.channels.some(({ id }) => id === channel) ? channel : places.channels[0].id;
  const personHere = places.people.some(({ id }) => id === person) ? person : places.people[0].id;
  const channels = places.channels.filter(({ parent }) => !places.channels.some(({ id }) => id === parent));
  const list = channels.flatMap((top) => [top, ...places.channels.filter(({ parent }) => parent === top.id)]);
  nav.replaceChildren(
    element("h1", "Fewshot"),
    element("p", "A bot that shows its prompts and trains its own model", "about"),
    element("h2", "Channels"),
    ...list.map(({ id, name, parent }) =>
      entry(name, channels.some((top) => top.id === id) ? "channel" : "channel thread", id === channelHere,
        `${secret}.${id}.${personHere}`)),
    element("h2", "You are"),
    ...places.people.map(({ id, name }, number) =>
      entry((people[number] ?? ((plain) => plain))(name), "person", id === personHere,
        `${secret}.${channelHere}.${id}`)),
    element("p", "Type / to see the commands, @Fewshot to talk, or press ⋯ at a message for its menu.", "about"),
  );
}

let drawn = "";
async function look() {
  const answer = await fetch("/places", { headers: { "X-Simcord-Capability": window.location.hash.slice(1) }, cache: "no-store" })
    .catch(() => null);
  if (answer?.ok) {
    const text = await answer.text();
    if (text !== drawn) {
      const places = JSON.parse(text);
      draw(places);
      setMenus(places.menus);
    }
    drawn = text;
  } else {
    drawn = "";
    nav.replaceChildren(element("h1", "Fewshot"), element("p", answer
      ? "Open the address that the terminal shows: the part behind the # is the key to this page."
      : "The demo has ended. Start it again with: make demo", "about"));
  }
}
void look();
setInterval(() => void look(), 2000);

// New messages stay in view until the reader scrolls up, also while an answer grows and its pictures arrive.
const timeline = document.getElementById("channel-timeline");
const NEAR = 80;
let following = true;
const read = () => setTimeout(() => {
  following = timeline.scrollHeight - timeline.scrollTop - timeline.clientHeight < NEAR;
}, 150);
for (const gesture of ["wheel", "touchmove", "pointerup", "keyup"]) timeline.addEventListener(gesture, read, { passive: true });
document.addEventListener("submit", () => { following = true; }, true);
setInterval(() => {
  const end = timeline.scrollHeight - timeline.clientHeight;
  if (following && end - timeline.scrollTop > 1) timeline.scrollTop = end;
}, 150);
