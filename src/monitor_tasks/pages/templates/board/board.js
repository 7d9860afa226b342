"use strict";
// Airflow's pages, in which these may stand as a frame, keep the choice of light or dark.
try {
  const theme = window.localStorage.getItem("theme");
  if (theme === "light" || theme === "dark") document.documentElement.style.colorScheme = theme;
} catch { /* no storage here: the system's choice holds */ }

const all = (selector, within = document) => [...within.querySelectorAll(selector)];

// A frame of Airflow's may not leave itself, so a way to Airflow's own pages is followed by the page around it.
for (const link of all("a[data-around]")) {
  link.addEventListener("click", (event) => {
    if (window.parent === window || event.ctrlKey || event.metaKey || event.shiftKey) return;
    try {
      const there = window.parent.document.createElement("a");
      there.href = link.href;
      window.parent.document.body.append(there);
      there.click();
      there.remove();
      event.preventDefault();
    } catch { /* around us is somebody else's page: the link opens here */ }
  });
}

for (const button of all("button.copy")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const code = button.previousElementSibling;
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      window.getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
  });
}

const value = (row, column) => {
  const cell = row.cells[column];
  const text = cell.dataset.sort ?? cell.textContent.trim();
  return text !== "" && !Number.isNaN(Number(text)) ? Number(text) : text.toLowerCase();
};
const compare = (one, other) =>
  typeof one === typeof other ? (one < other ? -1 : one > other ? 1 : 0) : typeof one === "number" ? -1 : 1;

for (const table of all("table.sortable")) {
  all("thead th", table).forEach((title, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...title.childNodes);
    title.append(button);
    button.addEventListener("click", () => {
      const sign = title.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const other of all("thead th", table)) other.removeAttribute("aria-sort");
      title.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      const rows = [...table.tBodies[0].rows];
      rows.sort((one, other) => sign * compare(value(one, column), value(other, column)));
      table.tBodies[0].append(...rows);
    });
  });
}

for (const tools of all(".tools")) {
  const table = document.getElementById(tools.dataset.for);
  const [search, ...choices] = all("input, select", tools);
  const count = tools.querySelector("output");
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of table.tBodies[0].rows) {
      const text = row.textContent.toLowerCase();
      const fits = words.every((word) => text.includes(word)) &&
        choices.every((choice) => !choice.value || ` ${row.dataset[choice.name]} `.includes(` ${choice.value} `));
      row.hidden = !fits;
      shown += fits;
    }
    count.textContent = `${shown} of ${table.tBodies[0].rows.length}`;
  };
  tools.hidden = false;
  tools.addEventListener("input", filter);
  filter();
}
