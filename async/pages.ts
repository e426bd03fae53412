/**
 * Asks for page after page of a list, each behind the last item of the one before. A page that is not full is
 * the last one. Empty pages are left out.
 *
 * @param limit of one page
 */
export async function* pagesOf<Item>(
  limit: number,
  ask: (last: Item | undefined, limit: number) => Promise<Item[]>,
): AsyncGenerator<Item[]> {
  for (let last: Item | undefined; ;) {
    const page = await ask(last, limit);
    if (page.length > 0) yield page;
    if (page.length < limit) return;
    last = page.at(-1);
  }
}
