import { readFileSync, writeFileSync } from 'node:fs';
import type { Task } from 'projen';
import { awscdk, github, javascript, JsonPatch } from 'projen';

// Owner, repository and Maven group are not known yet: this is their only place, and nothing is released before they are.
const OWNER = 'OWNER-PLACEHOLDER';
const REPOSITORY_URL = `https://github.com/${OWNER}/cdk-eks-image-prefetcher.git`;
const MAVEN_GROUP_ID = 'io.github.ownerplaceholder';

const CDK_FLOOR = '2.240.0';
const CONSTRUCTS_FLOOR = '10.5.1';

const project = new awscdk.AwsCdkConstructLibrary({
  name: 'cdk-eks-image-prefetcher',
  description: 'Puts container images on EKS nodes before pods need them, with nothing to run in the cluster.',
  author: OWNER,
  authorAddress: `${OWNER}@users.noreply.github.com`,
  repositoryUrl: REPOSITORY_URL,
  license: 'Apache-2.0',
  stability: 'experimental',
  keywords: ['aws', 'cdk', 'awscdk', 'aws-cdk', 'eks', 'kubernetes', 'ecr', 'ssm', 'eventbridge', 'karpenter', 'container-image', 'prefetch', 'cold-start'],
  defaultReleaseBranch: 'main',
  packageManager: javascript.NodePackageManager.NPM,
  minNodeVersion: '20.0.0',
  workflowNodeVersion: '24',
  projenrcTs: true,
  jsiiVersion: '~6.0.0',
  typescriptVersion: '~6.0.0',
  cdkVersion: CDK_FLOOR,
  constructsVersion: CONSTRUCTS_FLOOR,
  peerDependencyOptions: { pinnedDevDependency: false },
  disableTsconfig: true,
  tsconfigDevFile: 'tsconfig.dev.json',
  // Examples and tests import this library by its own name, as its users do.
  tsconfigDev: { compilerOptions: { types: ['jest', 'node'], paths: { 'cdk-eks-image-prefetcher': ['./src'] } }, include: ['.projenrc.ts', 'testbed/**/*.ts', 'examples/**/*.ts', 'bench/**/*.ts', 'consumers/**/*.ts'], exclude: ['test/integration'] },
  sampleCode: false,
  githubOptions: {
    pullRequestLintOptions: { semanticTitleOptions: { types: ['feat', 'fix', 'docs', 'test', 'build', 'ci', 'refactor', 'style', 'perf', 'chore'] } },
  },
  pullRequestTemplateContents: [
    '## Reason',
    '',
    '<!-- What a user or a node cannot do today. Fixes # -->',
    '',
    '## Change',
    '',
    '<!-- What is different now, and why this way. Does the public API change? Is the README still true? -->',
    '',
    '## How validated',
    '',
    '<!-- The test that was red before, by name; what you ran (CONTRIBUTING.md says how long each takes), and what you could not run. -->',
  ],
  eslintOptions: { dirs: ['src'], devdirs: ['test', 'testbed', 'examples', 'bench', 'consumers', '.projenrc.ts'], prettier: false },
  jestOptions: {
    jestConfig: {
      testMatch: ['<rootDir>/@(test|testbed)/**/*.test.ts'],
      globalSetup: '<rootDir>/test/global-setup.ts',
      globalTeardown: '<rootDir>/test/global-teardown.ts',
      moduleNameMapper: { '^cdk-eks-image-prefetcher$': '<rootDir>/src' },
      testPathIgnorePatterns: ['/node_modules/'],
      collectCoverage: false,
    },
    configFilePath: 'jest.config.json',
  },
  gitignore: ['.jsii.gz', '.jsii.tabl.json.gz', '/CHANGELOG.md', '__pycache__/', '.pytest_cache/', '.ruff_cache/', 'cdk.out/', '*.log', 'cdk-integ.out.*'],
  compressAssembly: true,
  // What is shipped is listed in `files`.
  npmignoreEnabled: false,
  npmTrustedPublishing: true,
  devDeps: ['aws-cdk-lib', 'constructs', 'tsx', 'yaml', 'fast-check', 'cdk-nag', '@aws-cdk/aws-eks-v2-alpha@2.240.0-alpha.0'],
  publishToPypi: { distName: 'cdk-eks-image-prefetcher', module: 'cdk_eks_image_prefetcher', trustedPublishing: true },
  publishToMaven: {
    javaPackage: `${MAVEN_GROUP_ID}.eksimageprefetcher`,
    mavenGroupId: MAVEN_GROUP_ID,
    mavenArtifactId: 'cdk-eks-image-prefetcher',
    mavenServerId: 'central-ossrh',
  },
});

// `projen build` runs the fast tests; `npm test` runs everything, on the real engines too.
project.testTask.reset('jest --testPathIgnorePatterns /test/limits/ --testPathIgnorePatterns /test/nodes/ --testPathIgnorePatterns /test/faults/ --testPathIgnorePatterns /node_modules/');
project.testTask.exec('bash test/integration/run.sh snapshot');
project.testTask.spawn(project.tasks.tryFind('eslint')!);

const setUp = project.addTask('testbed:set-up', {
  description: 'Installs the engines of the testbed: containerd, a registry, moto, event-ruler, …',
  exec: 'bash testbed/setup.sh --for-tests',
});
const testNodeProgram = project.addTask('test:node-program', {
  description: 'Checks and tests the node program as Python',
  exec: 'bash test/node-program/run.sh',
});
const testLimits = project.addTask('test:limits', {
  description: 'Holds the synthesised templates against event-ruler, cfn-lint and cdk-nag',
  exec: 'jest --runInBand --testPathPatterns /test/limits/',
  env: { JEST_JUNIT_OUTPUT_NAME: 'junit-limits.xml' },
  receiveArgs: true,
});
project.addTask('test:fuzz', {
  description: 'The tests of hostile input among those of the limits, with ten times as many events and values',
  exec: 'jest --runInBand --testPathPatterns \'/test/limits/(hostile-|parameter-|reference-)\'',
  env: { FUZZ: 'full', JEST_JUNIT_OUTPUT_NAME: 'junit-fuzz.xml' },
  receiveArgs: true,
});
const testNodes = project.addTask('test:nodes', {
  description: 'From app.synth() to real pods on real containerd',
  exec: 'jest --runInBand --testPathPatterns /test/nodes/',
  env: { JEST_JUNIT_OUTPUT_NAME: 'junit-nodes.xml' },
  receiveArgs: true,
});
const testFaults = project.addTask('test:faults', {
  description: 'Faults on real nodes, one after the other; writes docs/faults.md',
  exec: 'jest --runInBand --testPathPatterns /test/faults/',
  env: { JEST_JUNIT_OUTPUT_NAME: 'junit-faults.xml' },
  receiveArgs: true,
});
const testOldestCdk = project.addTask('test:oldest-cdk', {
  description: 'Compiles and runs the unit tests with the oldest supported aws-cdk-lib',
  exec: 'bash .ci/oldest-cdk.sh',
});
const testCompatibility = project.addTask('test:compatibility', {
  description: 'Looks for breaking changes since the last release (jsii-diff)',
  exec: 'bash .ci/compatibility.sh',
});
project.addTask('integ', {
  description: 'Integration tests in the AWS account of the environment (docs/integration-tests.md): about an hour, less than a dollar',
  exec: 'bash test/integration/run.sh deploy',
  receiveArgs: true,
});
const packageAsReleased = project.addTask('package:as-released', {
  description: 'Wheel and jar from the npm tarball of the build, as the release workflow makes them; Go and .NET as code',
  exec: 'bash .ci/package-as-released.sh',
});
const testConsumers = project.addTask('test:consumers', {
  description: 'Installs the built packages in empty folders, as users of each language do, and compares what they get',
  exec: 'tsx --tsconfig tsconfig.dev.json consumers/main.ts',
  receiveArgs: true,
});
const testAll = project.addTask('test:all', { description: 'Every test of the source (test:consumers tests what was built of it)' });
for (const task of [setUp, project.testTask, testNodeProgram, testLimits, testNodes]) {
  testAll.spawn(task);
}

// What pull requests must pass beside the build, a job each; .ci/run runs the same tasks. Real nodes need root.
const build = ['compile', 'post-compile', 'package:js'].map(name => project.tasks.tryFind(name)!);
const CHECKS = {
  'limits': [setUp, testNodeProgram, testLimits],
  'nodes': [setUp, testNodes],
  'oldest-cdk': [testOldestCdk, testCompatibility],
  'consumers': [...build, packageAsReleased, testConsumers],
};
const asRoot = (task: Task) => `sudo --preserve-env env "PATH=$PATH" npx projen ${task.name}`;
const tools = { node: { version: '24' }, python: { version: '3.x' }, java: { version: '17' }, go: { version: 'stable' } };
for (const [job, tasks] of Object.entries(CHECKS)) {
  project.buildWorkflow!.addPostBuildJobCommands(job, tasks.map(asRoot), { checkoutRepo: true, installDeps: true, tools });
}

// Half an hour of faults: too long for each pull request, so once a week, and by hand.
const faults = project.github!.addWorkflow('faults');
faults.on({ schedule: [{ cron: '0 3 * * 1' }], workflowDispatch: {} });
faults.addJob('faults', {
  runsOn: ['ubuntu-latest'],
  permissions: { contents: github.workflows.JobPermission.READ },
  timeoutMinutes: 120,
  tools,
  steps: [
    github.WorkflowSteps.checkout(),
    { name: 'Install dependencies', run: 'npm ci' },
    { name: testFaults.name, run: [setUp, testFaults].map(asRoot).join('\n') },
    github.WorkflowSteps.uploadArtifact({ name: 'The table', if: 'always()', with: { name: 'faults', path: 'docs/faults.md' } }),
  ],
});

project.package.setScript('test', 'projen test:all');

// Not a task: with --json, its output must be the object alone.
project.package.setScript('demo', 'bash testbed/setup.sh 1>&2; tsx --tsconfig tsconfig.dev.json testbed/demo.ts');

for (const [name, file] of Object.entries({ 'bench': 'main', 'bench:check': 'check', 'bench:fleet': 'fleet/main', 'bench:limit': 'limit/main' })) {
  project.package.setScript(name, `tsx --tsconfig tsconfig.dev.json bench/${file}.ts`);
}

// Who owns the names must be known.
project.tasks.tryFind('release')!.prependExec('bash .ci/refuse-placeholders.sh');

// jsii writes a tsconfig.json for src alone; the linter is to know all of the code.
const eslintrc = project.tryFindObjectFile('.eslintrc.json')!;
eslintrc.addDeletionOverride('parserOptions.projectService');
eslintrc.addOverride('parserOptions.project', ['./tsconfig.dev.json', './test/integration/tsconfig.json']);

// One dialect everywhere; all of it can be had by `npx projen eslint`, which mends what it finds.
project.eslint!.addRules({
  'import/enforce-node-protocol-usage': ['error', 'always'],
  '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports', disallowTypeAnnotations: false }],
  'curly': ['error', 'all'],
});

project.preCompileTask.exec('python3 projenrc/pack-node-program.py');

// The README's examples are compiled, and translated for the other languages.
project.tasks.tryFind('post-compile')!.exec('jsii-rosetta extract --strict --compile --compress-tablet .jsii');

// The translations (.jsii.tabl.json.gz) are shipped: the wheel and Construct Hub are made from this tarball and could not compile the
// examples themselves, which leave their imports and the cluster to rosetta/default.ts-fixture.
project.package.addField('files', ['lib/**/*.js', 'lib/**/*.d.ts', 'assets', '!**/__pycache__', '.jsii', '.jsii.gz', '.jsii.tabl.json.gz', 'API.md', 'CHANGELOG.md']);
project.package.file.patch(JsonPatch.add('/jsii/tsc/sourceMap', false));

// Maven would resolve the ranges of the two to their newest releases, and so raise our floor with each build.
const onlyFloor = [CDK_FLOOR, CONSTRUCTS_FLOOR].map(floor => floor.replace(/^(\d+)\.(.*)$/, (_, major, rest) => `${major}\\.(?!${rest.replace(/\./g, '\\.')}$).*`)).join('|');
for (const [language, options] of Object.entries({ js: '', python: '', java: ` --maven-local-repository="$HOME/.m2/repository" '--mvn-define=maven.version.ignore=${onlyFloor}'` })) {
  project.tasks.tryFind(`package:${language}`)!.reset(`jsii-pacmak -v --no-npmignore --target ${language}${options}`);
}
project.tasks.tryFind('package:js')!.prependExec('cp dist/changelog.md CHANGELOG.md', { condition: 'test -f dist/changelog.md' });

// The default of the publishing tool is the same, and no workflow needs a registry's host name.
const releaseWorkflow = project.github!.tryFindWorkflow('release')!.file!;
releaseWorkflow.patch(JsonPatch.remove('/jobs/release_npm/steps/9/env/NPM_REGISTRY'));

// What the release is made of, for those who must know: beside the changelog on the page of the release.
releaseWorkflow.patch(
  JsonPatch.add('/jobs/release/steps/5', { name: 'SBOM', run: 'npm sbom --omit dev --package-lock-only --sbom-format cyclonedx > dist/sbom.cdx.json' }),
  JsonPatch.replace('/jobs/release_github/steps/3/run', [
    'tag=$(cat "$RELEASE_TAG_FILE") &&',
    'gh release view "$tag" -R "$GITHUB_REPOSITORY" 2>/dev/null ||',
    'gh release create "$tag" dist/sbom.cdx.json -R "$GITHUB_REPOSITORY" -F "$CHANGELOG_FILE" -t "$tag" --target "$GITHUB_SHA"',
  ].join('\n')),
);

// 1.13.0 was published without the packages of some of its platforms, which a lock file must name.
project.package.addField('overrides', { 'unrs-resolver': '1.12.2' });

// Where a package was downloaded from is the business of the machine that installs it.
project.npmrc.addConfig('omit-lockfile-registry-resolved', 'true');

project.gitattributes.addAttributes('/test/integration/*.snapshot/**', 'linguist-generated');
project.gitattributes.addAttributes('/assets/image_prefetcher.packed', 'linguist-generated', '-diff');

// jsii's own is the one at the top.
project.gitignore.removePatterns('tsconfig.json');
project.gitignore.addPatterns('/tsconfig.json');

project.synth();

// Documents and examples spell owner and Maven group too.
for (const file of ['README.md', 'SECURITY.md', 'CONTRIBUTING.md', 'docs/architecture.md', 'examples/java/pom.xml', 'examples/java/src/main/java/example/WholeApi.java']) {
  const text = readFileSync(file, 'utf8');
  const named = text
    .replace(/\b(github|raw\.githubusercontent)\.com\/[\w-]+\/cdk-eks-image-prefetcher/g, `$1.com/${OWNER}/cdk-eks-image-prefetcher`)
    .replace(/\bio\.github\.[\w-]+(?=\.eksimageprefetcher|<)/g, MAVEN_GROUP_ID);
  if (named !== text) {
    writeFileSync(file, named);
  }
}
