/**
 * Replaces the source map of the workflow bundle by an empty one. The SDK needs a source map and looks up
 * every frame of every promise in it: that is most of the CPU of a workflow, and half a second at the start.
 * Stack traces are readable without it, because the bundle keeps functions and lines.
 *
 * @param {string} code a bundle of workflows
 * @returns {string}
 */
exports.withEmptySourceMap = function withEmptySourceMap(code) {
  const empty = Buffer.from(
    '{"version":3,"file":"workflow-bundle.js","sources":[],"names":[],"mappings":""}',
  ).toString('base64');
  const inlined = /(\/\/# sourceMappingURL=data:application\/json;charset=utf-8;base64,)[A-Za-z0-9+/=]+/;
  if (!inlined.test(code)) throw new Error('the workflow bundle has no source map where it is expected');
  return code.replace(inlined, `$1${empty}`);
};
