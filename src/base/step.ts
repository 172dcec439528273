/** What a pure machine returns: the next state, and what the shell shall do once that state is safe. */
export interface Step<State, Effect> {
  readonly state: State;
  readonly effects: readonly Effect[];
}

export const stay = <State, Effect = never>(state: State): Step<State, Effect> => ({ state, effects: [] });

export const go = <State, Effect>(state: State, ...effects: Effect[]): Step<State, Effect> => ({ state, effects });
