const plain = (cell) => cell.textContent.trim().replace(/\s+/g, " ");
const quoted = (text) => (/[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const signs = { "↑": "$\\uparrow$", "↓": "$\\downarrow$", "−": "$-$", "–": "--", "†": "$^\\dagger$" };
const escaped = (text) => text.replace(/[&%#_{}$]/g, "\\$&").replace(/[↑↓−–†]/g, (sign) => signs[sign]);
const bold = (cell) => (cell.querySelector("b") ? `\\textbf{${escaped(plain(cell))}}` : escaped(plain(cell)));
const forms = {
  CSV: (rows) => rows.map((row) => row.map((cell) => quoted(plain(cell).replaceAll("−", "-"))).join(",")).join("\n"),
  LaTeX: (rows) => {
    const [head, ...lines] = rows.map((row) => `${row.map(bold).join(" & ")} \\\\`);
    const columns = `rl${"r".repeat(rows[0].length - 2)}`;
    return [`\\begin{tabular}{${columns}}`, "\\toprule", head, "\\midrule", ...lines, "\\bottomrule", "\\end{tabular}"].join("\n");
  },
};
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.body.appendChild(document.createElement("textarea"));
    area.value = text;
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
for (const table of document.querySelectorAll("table[data-copy]")) {
  const line = document.createElement("p");
  line.className = "copy";
  for (const [name, form] of Object.entries(forms)) {
    const button = line.appendChild(document.createElement("button"));
    button.textContent = `Copy ${name}`;
    button.addEventListener("click", async () => {
      const done = await copy(form([...table.rows].map((row) => [...row.cells])));
      button.textContent = done ? "Copied" : "Not copied";
      setTimeout(() => { button.textContent = `Copy ${name}`; }, 1500);
    });
  }
  table.after(line);
}
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => { each.open = true; }));
