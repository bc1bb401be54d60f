/**
 * Compiles several apps with one of the compilers that are written in JavaScript, in one thread: what the apps share is read once, as
 * `tsc --build` does it. Of declarations of others nothing is checked but what ours need of them.
 */
import { createRequire } from 'node:module';
import { relative } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';

const { compiler, jobs, ours } = workerData;
const ts = createRequire(import.meta.url)(compiler);
const read = new Map();

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- to a thread, not to a window
for (const { config, ...job } of jobs) parentPort.postMessage({ ...job, version: ts.version, errors: errorsOf(config) });

function errorsOf(config) {
  const onUnRecoverableConfigFileDiagnostic = diagnostic => {
    throw new Error(text(diagnostic));
  };
  const { fileNames, options, errors } = ts.getParsedCommandLineOfConfigFile(
    config,
    {},
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic },
  );
  const program = ts.createProgram(fileNames, options, sharing(ts.createCompilerHost(options)));
  const files = program.getSourceFiles().filter(({ fileName }) => ours.test(fileName));
  return [
    ...errors,
    ...program.getOptionsDiagnostics(),
    ...program.getGlobalDiagnostics(),
    ...files.flatMap(file => [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]),
  ].map(text);
}

/** A declaration file is the same for every app, but for its format. */
function sharing(host) {
  const getSourceFile = host.getSourceFile.bind(host);
  return {
    ...host,
    getSourceFile: (name, settings, ...rest) => {
      const key = `${settings.impliedNodeFormat} ${name}`;
      const file = read.get(key) ?? getSourceFile(name, settings, ...rest);
      if (file && ts.isDeclarationFileName(name)) read.set(key, file);
      return file;
    },
  };
}

function text({ file, start = 0, code, messageText }) {
  const position = file?.getLineAndCharacterOfPosition(start);
  const place = file ? `${relative('.', file.fileName)}(${position.line + 1},${position.character + 1}): ` : '';
  return `${place}error TS${code}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
}
