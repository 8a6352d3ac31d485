// Makes the report handier: filter, sort, links read out, charts read out. Everything is there without it.
"use strict";
(() => {
  const all = (selector, within = document) => Array.from(within.querySelectorAll(selector));
  const one = (selector, within = document) => within.querySelector(selector);
  all("[data-js]").forEach((element) => { element.hidden = false; });

  // Colours: remembered in this browser where it allows that (files opened from disk sometimes may not).
  const remembered = (value) => {
    try {
      if (value === undefined) return localStorage.getItem("revenuer-theme");
      localStorage.setItem("revenuer-theme", value);
    } catch { /* not allowed here: the choice holds until the page is closed */ }
    return null;
  };
  const chosen = document.getElementById(`theme-${remembered()}`);
  if (chosen) chosen.checked = true;
  all('input[name="theme"]').forEach((input) => input.addEventListener("change", () => remembered(input.value)));

  // Sorting: each heading of a sortable column becomes a button; rows move with what belongs to them (their tbody).
  const collator = new Intl.Collator("en", { numeric: true });
  const figure = (text) => {
    const found = text.replace(/,/g, "").replace("−", "-").match(/-?\d+(\.\d+)?(e-?\d+)?/i);
    return found ? Number(found[0]) - (text.includes("<") ? 1e-6 : 0) : -Infinity;
  };
  const cellText = (group, column) => group.rows[0].cells[column].textContent.trim();
  const sortBy = (table, heading, kind) => {
    const column = heading.cellIndex;
    const down = heading.getAttribute("aria-sort") ? heading.getAttribute("aria-sort") === "ascending" : kind === "num" && column > 0;
    all("th[aria-sort]", table).forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const keyed = Array.from(table.tBodies, (group) => ({ group, text: cellText(group, column) }));
    keyed.sort((a, b) => {
      if (kind === "text" && (a.text === "never") !== (b.text === "never")) return a.text === "never" ? 1 : -1;
      const order = kind === "num" ? figure(a.text) - figure(b.text) : collator.compare(a.text, b.text);
      return (Number.isNaN(order) ? 0 : order) * (down ? -1 : 1);
    });
    table.append(...keyed.map((entry) => entry.group));
  };
  all("table[data-sortable]").forEach((table) => all("th[data-sort]", table).forEach((heading) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    heading.replaceChildren(button);
    button.addEventListener("click", () => sortBy(table, heading, heading.dataset.sort));
  }));

  // Filter: hides campaigns in the list and their sections; looks at campaign, accounts and organisations.
  const find = one("#find");
  if (find) {
    const rows = all(".list tbody");
    const sections = new Map(all("details.campaign").map((section) => [section.dataset.rank, section]));
    const searchable = new Map(rows.map((row) => {
      const section = sections.get(row.dataset.rank);
      const members = section ? all(".members tbody tr:first-child th", section) : [];
      return [row, [one("th", row), ...members].map((cell) => cell.textContent).join("\n").toLowerCase()];
    }));
    const status = one("#list-status");
    const apply = () => {
      const words = find.value.trim().toLowerCase();
      const verdict = one('input[name="show"]:checked').value;
      let shown = 0;
      rows.forEach((row) => {
        const keep = (verdict === "all" || row.dataset.verdict === verdict) && searchable.get(row).includes(words);
        row.hidden = !keep;
        const section = sections.get(row.dataset.rank);
        if (section) section.hidden = !keep;
        shown += keep;
      });
      const unsearched = "partial" in status.dataset ? "; accounts left out of this page are only in accounts.jsonl" : "";
      status.textContent = `${shown} of ${rows.length} campaigns shown${unsearched}`;
      status.classList.toggle("vh", shown > 0);
    };
    find.addEventListener("input", apply);
    all('input[name="show"]').forEach((input) => input.addEventListener("change", apply));
    document.addEventListener("keydown", (event) => {
      if (event.key === "/" && !event.target.closest("input, textarea")) { event.preventDefault(); find.focus(); }
      if (event.key === "Escape" && event.target === find) { find.value = ""; apply(); }
    });
  }

  // Sections: open what a link points into; open all; print all.
  const campaigns = all("details.campaign");
  const reveal = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (!target) return;
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    const why = target.matches(".members tbody") && one("details", target);
    if (why) why.open = true;
    target.scrollIntoView({ block: target.matches(".body") ? "start" : "center" });
  };
  addEventListener("hashchange", reveal);
  reveal();
  one("#open-all")?.addEventListener("click", () => campaigns.forEach((section) => { section.open = true; }));
  one("#close-all")?.addEventListener("click", () => campaigns.forEach((section) => { section.open = false; }));
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = all("details:not([open])");
    closed.forEach((section) => { section.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((section) => { section.open = false; }));

  // Copy account ids, for a ticket or a query.
  all("[data-copy]").forEach((button) => button.addEventListener("click", async () => {
    const section = button.closest("section");
    const ids = all(".members .id", section).map((cell) => cell.textContent).join("\n");
    try {
      await navigator.clipboard.writeText(ids);
      button.textContent = "Copied";
    } catch {
      const range = document.createRange();
      range.selectNodeContents(one(".members", section));
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      button.textContent = "Selected: press Ctrl+C";
    }
    setTimeout(() => { button.textContent = "Copy account ids"; }, 2500);
  }));

  // Graph: one stop for the Tab key, arrows move; pointing at, focusing or tapping a link or account says why.
  const paragraph = (text, name) => {
    const element = document.createElement("p");
    if (name) element.className = name;
    element.textContent = text;
    return element;
  };
  all("[data-net]").forEach((net) => {
    const graph = one(".graph", net);
    const panel = one(".panel", net);
    const links = all("a.e", graph).reverse();
    const nodes = all(".n", graph);
    const stops = [...links, ...nodes.filter((node) => node.tagName === "a")];
    const idle = Array.from(panel.childNodes);
    let pinned = null;
    all("title", graph).forEach((title) => {
      title.parentNode.setAttribute("aria-label", title.textContent);
      title.remove();  // the panel says it; the browser's own tip would cover the drawing
    });
    const say = (...children) => panel.replaceChildren(...children);
    const mark = (test) => {
      graph.classList.add("picked");
      [...links, ...nodes].forEach((element) => element.classList.toggle("on", test(element)));
    };
    const show = (stop) => {
      const row = document.getElementById(stop.getAttribute("href").slice(1));
      const ends = stop.dataset.n.split(" ");
      if (stop.matches(".e")) {
        const [a, b, kind, weight, why] = row.cells;
        say(paragraph(`${a.textContent} and ${b.textContent}`, "between"), paragraph(why.textContent),
          paragraph(`${kind.textContent}, weight ${weight.textContent}: ${weight.title}`, "quiet"));
        mark((element) => element === stop || (element.matches(".n") && ends.includes(element.dataset.n)));
      } else {
        const near = links.filter((link) => link.dataset.n.split(" ").includes(ends[0]));
        const partners = new Set(near.flatMap((link) => link.dataset.n.split(" ")));
        const cells = row.rows[0].cells;
        say(paragraph(one(".id", row).textContent, "between"), paragraph(`${cells[1].textContent}, score ${cells[2].textContent}`),
          paragraph(`${near.length} links drawn. ${cells[4].textContent.trim()} of its use belongs to this campaign.`, "quiet"));
        mark((element) => near.includes(element) || element === stop || (element.matches(".n") && partners.has(element.dataset.n)));
      }
    };
    const rest = () => {
      if (pinned) { show(pinned); return; }
      graph.classList.remove("picked");
      all(".on", graph).forEach((element) => element.classList.remove("on"));
      say(...idle);
    };
    if (stops.length) stops[0].tabIndex = 0;
    stops.forEach((stop, index) => {
      stop.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") show(stop); });
      stop.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse") rest(); });
      stop.addEventListener("focus", () => {
        stops.forEach((other) => { other.tabIndex = -1; });
        stop.tabIndex = 0;
        pinned = stop;
        show(stop);
      });
      stop.addEventListener("click", (event) => {
        if (stop.matches(".e")) event.preventDefault();  // the panel already shows the row
        pinned = stop;
        show(stop);
      });
      stop.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (step) {
          event.preventDefault();
          for (let i = 1; i <= stops.length; i += 1) {
            const next = stops[(index + step * i + stops.length * i) % stops.length];
            if (getComputedStyle(next).display !== "none") { next.focus(); break; }
          }
        } else if (event.key === "Escape") {
          pinned = null;
          rest();
        }
      });
    });
    graph.addEventListener("click", (event) => {
      if (!event.target.closest("a")) { pinned = null; rest(); }
    });
  });

  // Timeline: the bar under the pointer, in words (the same figures stand in the table below it).
  const tip = one("#tip");
  all("[data-timeline]").forEach((chart) => {
    const rows = all("tr", one("tbody", chart.nextElementSibling));
    const many = Number(chart.dataset.bars);
    const at = new Map(rows.map((row) => [Number(row.dataset.i), row]));
    all("svg.wide", chart).forEach((svg) => {
      const box = svg.viewBox.baseVal;
      svg.addEventListener("pointermove", (event) => {
        const frame = svg.getBoundingClientRect();
        const x = (event.clientX - frame.left) / frame.width * box.width;
        const row = at.get(Math.floor((x - 46) / (box.width - 10 - 46) * many));
        tip.hidden = !row;
        if (!row) return;
        const [from, exchanges, accounts] = row.cells;
        tip.textContent = `${from.textContent} UTC: ${exchanges.textContent} exchanges, up to ${accounts.textContent} accounts`;
        const left = Math.min(Math.max(8, event.clientX + 14), innerWidth - tip.offsetWidth - 8);
        tip.style.transform = `translate(${left}px, ${Math.max(8, event.clientY - 36)}px)`;
      });
      svg.addEventListener("pointerleave", () => { tip.hidden = true; });
    });
  });
})();
