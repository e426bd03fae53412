import { AsyncLocalStorage } from 'node:async_hooks';

test('what is kept for a call is there after each await, as it is in production: the SDK finds deadlines by it', async () => {
  const storage = new AsyncLocalStorage<string>();
  const seen: unknown[] = [];
  await storage.run('kept', async () => {
    await Promise.resolve();
    seen.push(storage.getStore());
    await new Promise((resolve) => setTimeout(resolve, 1));
    seen.push(storage.getStore());
  });
  expect(seen).toEqual(['kept', 'kept']);
});
