// Copies the backup codes, and prints their page. Where no script runs, a sentence stands instead.
"use strict";

const find = (id) => document.getElementById(id);

find("codes-print").addEventListener("click", () => window.print());
find("codes-copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText(find("codes").textContent);
  find("codes-said").textContent = find("codes-said").dataset.copied;
});
if (!navigator.clipboard) find("codes-copy").remove(); // over plain HTTP a browser has none
find("codes-tools").hidden = false;
find("codes-else").hidden = true;
