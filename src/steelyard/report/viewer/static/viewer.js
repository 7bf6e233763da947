// Follows the pool: asks whether it changed, and puts the new page in the place of the old one. Works without it, too.
"use strict";
(() => {
  const QUICK = 1500, SLOW = 8000;
  const body = document.body, news = document.getElementById("news"), button = document.getElementById("follow");
  let stamp = body.dataset.stamp, pending = Number(body.dataset.pending), rows = Number(body.dataset.rows), wait = QUICK, on = true, timer = 0;

  const keyOf = (node) => node.closest("section, figure, tr, form")?.querySelector("h2, th, figcaption")?.textContent + "|" + node.querySelector("summary")?.textContent;

  function place(fresh) {
    const old = document.getElementById("live"), made = fresh.getElementById("live");
    if (!old || !made) return false;
    const opened = new Map([...old.querySelectorAll("details")].map((d) => [keyOf(d), d.open]));
    const held = document.activeElement, inside = old.contains(held);
    const href = inside ? held.getAttribute("href") : null;
    old.replaceWith(document.adoptNode(made));
    for (const id of ["what", "formats", "controls"]) {
      const was = document.getElementById(id), now = fresh.getElementById(id);
      if (was && now && !was.querySelector("form") && !was.contains(held) && was.textContent !== now.textContent) was.replaceWith(document.adoptNode(now));
    }
    document.title = fresh.title;
    for (const d of made.querySelectorAll("details")) if (opened.has(keyOf(d))) d.open = opened.get(keyOf(d));
    if (inside) ([...made.querySelectorAll("a[href]")].find((a) => a.getAttribute("href") === href) || document.getElementById("main")).focus({ preventScroll: true });
    stamp = fresh.body.dataset.stamp;
    pending = Number(fresh.body.dataset.pending);
    body.dataset.stamp = stamp;
    body.dataset.pending = pending;
    body.dataset.rows = fresh.body.dataset.rows;
    return true;
  }

  async function look() {
    let changed = false;
    try {
      const said = await (await fetch("/stamp")).json();
      changed = said.stamp !== stamp;
      if (changed || pending) {
        const answer = await fetch(location.href, { headers: { accept: "text/html" } });
        if (answer.ok && place(new DOMParser().parseFromString(await answer.text(), "text/html")) && changed) {
          const all = Number(body.dataset.rows), more = all - rows;
          rows = all;
          news.textContent = more > 0 ? `${more} new ${more === 1 ? "number" : "numbers"}, ${all} in all.` : "The pool changed; this page shows it.";
        }
      }
    } catch (error) {
      news.textContent = "The viewer does not answer. This page stays as it was.";
    }
    wait = changed || pending ? QUICK : Math.min(SLOW, wait * 1.25);
    next();
  }

  function next() {
    clearTimeout(timer);
    if (on && !document.hidden) timer = setTimeout(look, pending ? 700 : wait);
  }

  if (button && stamp) {
    button.hidden = false;
    button.addEventListener("click", () => {
      on = !on;
      button.setAttribute("aria-pressed", String(on));
      button.textContent = on ? "Following the pool" : "Follow the pool";
      wait = QUICK;
      next();
    });
    document.addEventListener("visibilitychange", () => { wait = QUICK; next(); });
    next();
  }

  document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  // A choice in a list takes effect at once; empty fields stay out of the address.
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form.controls[method=get]")) return;
    for (const field of event.target.elements) if (field.name && !field.value && field.type !== "checkbox") field.disabled = true;
  });
  document.addEventListener("change", (event) => {
    const field = event.target, form = field.closest("form.controls[method=get]");
    if (!form || field.name !== "b" || field.type === "checkbox") return;
    for (const other of form.elements) if (other.name && other.name !== "b") other.disabled = true;
    form.requestSubmit();
  });
  addEventListener("pageshow", () => { for (const field of document.querySelectorAll("form :disabled")) field.disabled = false; });

  // The search box of the front page filters while one types; Enter asks the server, which makes it an address.
  document.addEventListener("input", (event) => {
    if (!event.target.matches("form[role=search] input[name=q]")) return;
    const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of document.querySelectorAll("table[data-search] tbody tr")) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
    }
  });
})();
