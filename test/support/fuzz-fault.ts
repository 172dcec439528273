/** What no input should bring about. */
export class FuzzFault extends Error {}
