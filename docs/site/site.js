// The theme adds both after the page has loaded: tables that a keyboard cannot scroll, and copy
// buttons in landmarks without a name.
const complete = () => {
  document.querySelectorAll(".md-typeset__scrollwrap").forEach((table) => {
    const isWide = table.scrollWidth > table.clientWidth;
    if (isWide !== (table.tabIndex === 0)) table.tabIndex = isWide ? 0 : -1;
  });
  document.querySelectorAll(".md-code__nav:not([aria-label])").forEach((tools, number) => {
    const code = tools.querySelector("[data-clipboard-target]");
    tools.setAttribute("aria-label", `Code ${code ? code.dataset.clipboardTarget.match(/\d+/) : number}`);
  });
};
new MutationObserver(complete).observe(document.body, { childList: true, subtree: true });
addEventListener("resize", complete);
complete();
