import type { Workshop } from './twin';
export async function checkErrors(_workshop: Workshop): Promise<string> { return 'todo'; }
