/** Where the reader is: all state that a link should carry stands in the URL. */

export const route = $state({ path: location.pathname, query: new URLSearchParams(location.search) });

function read(): void {
  route.path = location.pathname;
  route.query = new URLSearchParams(location.search);
}

/** Goes to another page of ours. */
export function go(to: string, replace = false): void {
  if (replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  read();
  if (!replace) scrollTo(0, 0);
}

/** Puts a value into the query, or takes it out, without a step in the history. */
export function setQuery(values: Record<string, string | undefined>): void {
  const query = new URLSearchParams(route.query);
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined || value === "") query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  if (text !== route.query.toString()) go(text === "" ? route.path : `${route.path}?${text}`, true);
}

/** Follows links to our own pages without loading the document again. */
export function interceptLinks(): () => void {
  const click = (event: MouseEvent): void => {
    const anchor = (event.target as Element).closest?.("a");
    if (!anchor || event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    if (anchor.target || anchor.hasAttribute("download") || anchor.origin !== location.origin) return;
    if (anchor.pathname.startsWith("/api/") || anchor.getAttribute("href")?.startsWith("#")) return;
    event.preventDefault();
    go(anchor.pathname + anchor.search);
  };
  addEventListener("click", click);
  addEventListener("popstate", read);
  return () => {
    removeEventListener("click", click);
    removeEventListener("popstate", read);
  };
}
