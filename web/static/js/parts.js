// Parts of a page that are taken over from an answer. Trusted Types forbid parsing text
// as HTML, so answers are read as documents and their nodes are taken over.

// takeOver gives an element the attributes and content of another one but leaves it
// in place, so that a live region stays the one that a screen reader watches.
export const takeOver = (old, fresh) => {
  old.removeAttribute("data-stale");
  const next = document.importNode(fresh, true);
  if (old.isEqualNode(next)) return;
  if (old.tagName !== next.tagName) {
    old.replaceWith(next);
    return;
  }
  for (const { name } of [...old.attributes]) if (!next.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of next.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  old.replaceChildren(...next.childNodes);
};

export const sameParts = (root, part) => root.querySelectorAll(`[data-part="${CSS.escape(part.dataset.part)}"]`);
