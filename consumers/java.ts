import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { MAVEN, ROOT, mavenRepository } from './built';
import { shell } from './shell';
import type { Workshop } from './twin';

export const EXAMPLE = path.join(ROOT, 'examples', 'java');

/** A folder with the example, and a Maven that finds the jar in dist/ as it would find it in Central. */
export function javaFolder(workshop: Workshop, name: string): { folder: string; maven: string } {
  const folder = workshop.emptyFolder(name);
  fs.cpSync(EXAMPLE, folder, { recursive: true });
  fs.rmSync(path.join(folder, 'target'), { recursive: true, force: true });
  fs.writeFileSync(path.join(folder, 'settings.xml'), `<settings><profiles><profile><id>built</id><repositories><repository>
    <id>built</id><url>file://${mavenRepository()}</url></repository></repositories></profile></profiles>
    <activeProfiles><activeProfile>built</activeProfile></activeProfiles></settings>`);
  return { folder, maven: `mvn -B -q -s ${path.join(folder, 'settings.xml')}` };
}

/** Maven keeps what it found once; this build has the version number of the one before. */
export function forgetJar(): void {
  fs.rmSync(path.join(os.homedir(), '.m2', 'repository', ...MAVEN.groupId.split('.'), MAVEN.artifactId), { recursive: true, force: true });
}

export async function newestJavaCdk(workshop: Workshop): Promise<string> {
  const folder = workshop.emptyFolder('newest-java');
  fs.writeFileSync(path.join(folder, 'pom.xml'), `<project><modelVersion>4.0.0</modelVersion><groupId>x</groupId><artifactId>x</artifactId><version>1</version>
    <dependencies><dependency><groupId>software.amazon.awscdk</groupId><artifactId>aws-cdk-lib</artifactId><version>[2.240.0,3.0.0)</version></dependency></dependencies></project>`);
  await shell(folder, 'mvn -B -q org.codehaus.mojo:versions-maven-plugin:2.20.1:resolve-ranges');
  return /<version>(2\.[\d.]+)<\/version>/.exec(fs.readFileSync(path.join(folder, 'pom.xml'), 'utf8'))![1];
}

export async function javaApp(workshop: Workshop, name: string, cdk: string): Promise<string> {
  const { folder, maven } = javaFolder(workshop, name);
  await shell(folder, `${maven} -Dcdk.version=${cdk} compile`);
  const assembly = await workshop.synth(folder, `${maven} -Dcdk.version=${cdk} exec:java`);
  return `aws-cdk-lib ${cdk}: javac -Xlint -Werror, ${await workshop.compareToTwin(assembly, cdk)}`;
}
