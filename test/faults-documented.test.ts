import * as fs from 'node:fs';
import * as path from 'node:path';
import { FAULTS } from './faults/cases';
import { documentedFaults } from './faults/table';

test('docs/faults.md has a row for every fault that is tested, and for no other', () => {
  expect(documentedFaults()).toEqual(FAULTS);
});

test('the README says how many there are', () => {
  const readme = fs.readFileSync(path.join(__dirname, '..', 'README.md'), 'utf8');
  expect(readme).toContain(`has ${FAULTS.length} faults that were put on a real node`);
});
