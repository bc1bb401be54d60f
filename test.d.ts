// for compilers that do not read `exports` of package.json
export * from './dist/testing/test';
