import { CASES } from './faults/cases';
import { documentedFaults } from './faults/table';

test('docs/faults.md has a row for every fault that is tested, and for no other', () => {
  expect(documentedFaults()).toEqual(CASES.map(({ fault }) => fault));
});
