export function withEmptySourceMap(code: string): string;
