/* Sign-up: propose the browser's time zone. The list stays in charge. */
const list = document.querySelector("select[data-time-zone]");
const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (list && [...list.options].some((option) => option.value === here)) list.value = here;
