/**
 * The TypeScript sources of every package run as they are: nothing has to be built but the addon.
 * Types are checked by a step of their own, so the transform only strips them.
 */
module.exports = {
  testEnvironment: 'node',
  roots: ['<rootDir>/docs', '<rootDir>/native', '<rootDir>/packages', '<rootDir>/tools'],
  testMatch: ['**/*.test.ts'],
  // Those of kqueue need an addon that has it, as that of `pnpm check jest:address` does.
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/.*/dist/', '-kqueue\\.test\\.ts$'],
  modulePathIgnorePatterns: ['<rootDir>/.*/(dist|build|build-[a-z]+)/'],
  testEnvironmentOptions: { customExportConditions: ['@sock/source', 'node', 'node-addons'] },
  transform: { '^.+\\.ts$': ['ts-jest', { tsconfig: '<rootDir>/tsconfig.test.json' }] },
  // Jest would leave one processor to itself, half of a small machine.
  maxWorkers: '100%',
  // For what hangs only: a machine that does much else may need long for what is quick elsewhere.
  testTimeout: 60_000,
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
};
