/* Print buttons: they need this script, so without it they are not there. */
for (const button of document.querySelectorAll("button[data-print]")) button.addEventListener("click", () => print());
