"use strict";
// Refreshes the page automatically.  Without it everything is there too, as of the moment it was asked for.
const PERIOD_MS = 3000;
const byId = (id) => document.getElementById(id);
const [filter, pause, gone, held, news] = ["filter", "pause", "gone", "held", "news"].map(byId);
const wanted = new URLSearchParams(location.search);
let timer, running = 0, paused = false, lastAnswer = byId("taken").textContent;

// What the reader has done to the page, by the ids of what it was done to.
function stateOf(main) {
  return {
    open: new Map([...main.querySelectorAll("details[id]")].map((one) => [one.id, one.open])),
    focus: main.contains(document.activeElement) ? document.activeElement.id : "",
    scrolled: new Map([...main.querySelectorAll(".scroll")].map((one) => [one.id, one.scrollLeft])),
  };
}

function reopen(main, old, { open }) {
  if (main.dataset.filter !== old.dataset.filter) return;  // what a filter finds is open
  for (const one of main.querySelectorAll("details[id]")) {
    // A service in which something has gone wrong meanwhile opens automatically; its reader may close it again.
    const turned = one.classList.contains("wrong") && !byId(one.id)?.classList.contains("wrong");
    if (open.has(one.id) && !turned) one.open = open.get(one.id);
  }
}

function comeBack({ focus, scrolled }) {
  for (const [id, left] of scrolled) if (left && byId(id)) byId(id).scrollLeft = left;
  if (focus) byId(focus)?.focus({ preventScroll: true });
}

// Replacing the page would take away what somebody is about to copy.
function holds() {
  const selection = getSelection();
  held.hidden = selection.isCollapsed || !byId("main").contains(selection.anchorNode);
  return !held.hidden;
}

async function refresh() {
  clearTimeout(timer);
  if (holds()) {
    timer = setTimeout(refresh, 500);
    return;
  }
  const mine = ++running, began = performance.now();
  try {
    const answer = await fetch("/?" + wanted, { cache: "no-store", signal: AbortSignal.timeout(15000) });
    if (!answer.ok) throw new Error("status " + answer.status);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (mine === running) show(fresh);
  } catch (problem) {
    if (mine === running) tellGone();
  }
  // A page that takes long to make is not asked for as often.
  if (mine === running && !paused) timer = setTimeout(refresh, Math.max(PERIOD_MS, 10 * (performance.now() - began)));
}

function show(fresh) {
  const old = byId("main"), main = fresh.getElementById("main");
  if (!main) throw new Error("another page");
  const state = stateOf(old);
  reopen(main, old, state);
  if (main.dataset.headline !== old.dataset.headline) news.textContent = main.dataset.headline;
  old.replaceWith(document.adoptNode(main));
  comeBack(state);
  document.title = fresh.title;
  byId("taken").replaceWith(document.adoptNode(fresh.getElementById("taken")));
  lastAnswer = byId("taken").textContent;
  gone.hidden = true;
  document.body.classList.remove("stale");
}

function tellGone() {
  if (!gone.hidden) return;
  gone.textContent = "No answer since " + lastAnswer + ": the page shows the state of that time. Still trying.";
  gone.hidden = false;
  document.body.classList.add("stale");
}

// Rows that were left out are asked for when their service is opened.
function askFor(service) {
  if (wanted.getAll("service").includes(service.dataset.name)) return;
  wanted.append("service", service.dataset.name);
  refresh();
}
document.addEventListener("toggle", ({ target }) => {
  if (target.open && "unread" in target.dataset) askFor(target);
}, true);
document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link) return;
  if (link.classList.contains("all")) {
    event.preventDefault();
    askFor(link.closest("details"));
  } else if (link.hash) {
    const service = byId(decodeURIComponent(link.hash.slice(1)));
    if (service) service.open = true;
  }
});

filter.addEventListener("input", () => {
  filter.value.trim() ? wanted.set("filter", filter.value) : wanted.delete("filter");
  history.replaceState(null, "", String(wanted) ? "/?" + wanted : "/");
  clearTimeout(timer);
  timer = setTimeout(refresh, 150);
});
filter.form.addEventListener("submit", (event) => { event.preventDefault(); refresh(); });
pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", paused);
  pause.textContent = paused ? "Paused" : "Pause";
  paused ? (++running, clearTimeout(timer)) : refresh();
});
document.addEventListener("visibilitychange", () => { if (!document.hidden && !paused) refresh(); });

pause.hidden = false;
byId("again").hidden = byId("apply").hidden = true;
timer = setTimeout(refresh, PERIOD_MS);
