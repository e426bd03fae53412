export * from './activities';
export * from './failures';
export * from './input';
export * from './names';
export * from './progress';
