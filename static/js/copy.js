/* Copy buttons: data-copy names the id of the element whose text is copied. */
for (const button of document.querySelectorAll("button[data-copy]")) {
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    const live = document.getElementById("live");
    try {
      await navigator.clipboard.writeText(source.value ?? source.textContent);
      live.textContent = "Copied";
      button.classList.add("done");
    } catch {
      getSelection().selectAllChildren(source);
      live.textContent = "Press Ctrl+C to copy the selected text";
    }
    setTimeout(() => { live.textContent = ""; button.classList.remove("done"); }, 2500);
  });
}
