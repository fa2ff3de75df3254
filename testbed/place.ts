/** Where everything is, unless a test says otherwise. */
export const ACCOUNT = '123456789012';
export const REGION = 'us-east-1';
