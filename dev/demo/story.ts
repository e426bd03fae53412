export async function runDemo(_options: { keep: boolean }): Promise<void> {}
