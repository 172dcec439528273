/** The embedded chain and a real bitcoind side by side: whatever ours takes, bitcoind has to take as well. */
import assert from 'node:assert/strict';
import { fromHex, type Txid, toHex } from '../../src/base/bytes.ts';
import { type Block, serializeBlock } from '../../src/bitcoin/block.ts';
import { isOpReturn } from '../../src/bitcoin/script.ts';
import { type Tx, txHex } from '../../src/bitcoin/tx.ts';
import type { RegtestChain } from '../../src/chain/regtest/chain.ts';
import { type Bitcoind, NO_CAPS, type RpcAnswer, type RpcCall } from './bitcoind.ts';
import { reasonOf } from './regtest.ts';

export interface Verdict {
  /** Our reason; `undefined` when accepted. */
  readonly ours: string | undefined;
  /** bitcoind's. */
  readonly theirs: string | undefined;
  /** What it is about, serialized. */
  readonly subject: string;
}

export interface FamilyVerdict {
  readonly ours: string | undefined;
  /** Every reason that bitcoind's answer names; none when it accepts. */
  readonly theirs: readonly string[];
}

/** What a duel needs to know of the world it is about. */
export interface DuelWorld {
  readonly chain: RegtestChain;
  /** Unix seconds by the world's clock. */
  readonly time: number;
}

interface TestAccept {
  readonly allowed: boolean;
  readonly 'reject-reason'?: string;
}

interface PackageResult {
  readonly package_msg: string;
  readonly 'tx-results': Readonly<Record<string, { readonly error?: string }>>;
}

/** A question to bitcoind that is still to be asked, and what we said. */
interface Question {
  readonly subject: string;
  readonly ours: string | undefined;
  /** The last one's answer counts. */
  readonly calls: readonly RpcCall[];
  /** Policy may be stricter than bitcoind's, consensus not. */
  readonly mayBeStricter: boolean;
  /** bitcoind's reason in its answer; `undefined` when it accepts. */
  readonly reasonIn: (answer: RpcAnswer) => string | undefined;
}

/** Reasons that Knots tells apart and Core does not, and the one that `testmempoolaccept` has a word of its own for. */
const RENAMED: readonly (readonly [RegExp, string])[] = [
  [/^truc-.*/, 'TRUC-violation'],
  [/^bad-witness-(?!nonce|merkle).*/, 'bad-witness-nonstandard'],
  [/^bad-txns-input-sigops-.*/, 'bad-txns-nonstandard-inputs'],
  [/^missing-inputs$/, 'bad-txns-inputs-missingorspent'],
  [/, .*/, ''],
  [/ ?\(.*/, ''],
];
const plain = (reason: string): string =>
  RENAMED.reduce((text, [pattern, name]) => text.replace(pattern, name), reason);

/** Knots does not read block headers of a negative version; Bitcoin Core reads and refuses them. */
const UNREAD = 'Block decode failed';

/** BIP110's limit on output scripts: Knots has it in its policy, Bitcoin Core has not, so there is nothing to compare. */
const FOREIGN = 'bad-txns-vout-script-toolarge';
const MAX_FOREIGN_SCRIPT = 34;

const errorIn = ({ error }: RpcAnswer): string | undefined => (error ? plain(error.message) : undefined);

function testAcceptIn(answer: RpcAnswer): string | undefined {
  if (answer.error) return errorIn(answer);
  const [result] = answer.result as readonly TestAccept[];
  return result!.allowed ? undefined : plain(result!['reject-reason']!);
}

function blockReasonIn(answer: RpcAnswer): string | undefined {
  if (answer.error) return errorIn(answer);
  return answer.result === null ? undefined : plain(answer.result as string);
}

/** Every reason in the answer to a package. */
const reasonsIn = ({ package_msg, 'tx-results': results }: PackageResult): readonly string[] => [
  package_msg,
  ...Object.values(results).flatMap(({ error }) => (error === undefined ? [] : [error])),
];

export class Duel {
  readonly #world: DuelWorld;
  readonly #node: Bitcoind;
  readonly #questions: Question[] = [];
  #isKnots: boolean | undefined;
  /** Blocks of ours, lowest first, that bitcoind has. */
  #hashes: string[] = [];

  constructor(world: DuelWorld, node: Bitcoind) {
    this.#world = world;
    this.#node = node;
  }

  /** Brings bitcoind to our tip, by our blocks only, and our mempool's transactions into its own. */
  async sync(): Promise<void> {
    await this.#syncBlocks();
    const theirs = new Set(await this.#node.rpc<Txid[]>('getrawmempool'));
    for (const [txid, tx] of await this.#ours()) {
      if (!theirs.has(txid)) await this.#node.rpc('sendrawtransaction', txHex(tx), ...NO_CAPS);
    }
    await this.compareMempools();
  }

  /** Hands a transaction to ours, and to bitcoind with the next {@link Duel.ask}. Returns our reason. */
  async tx(tx: Tx): Promise<string | undefined> {
    if (await this.#isForeign(tx)) return FOREIGN;
    const ours = await reasonOf(this.#world.chain.broadcast(tx));
    const subject = `transaction ${txHex(tx)}`;
    this.#questions.push(
      ours === undefined
        ? {
            subject,
            ours,
            calls: [['sendrawtransaction', txHex(tx), ...NO_CAPS]],
            mayBeStricter: true,
            reasonIn: errorIn,
          }
        : {
            subject,
            ours,
            calls: [['testmempoolaccept', [txHex(tx)], 0]],
            mayBeStricter: true,
            reasonIn: testAcceptIn,
          },
    );
    return ours;
  }

  /** Hands a block to ours, and to bitcoind with the next {@link Duel.ask}. Returns our reason. */
  async block(block: Block): Promise<string | undefined> {
    const raw = serializeBlock(block);
    const clock = await this.#clock();
    let kept = false;
    const submit = this.#world.chain.submitBlock(raw).then((outcome) => (kept = outcome === 'kept'));
    const refused = await reasonOf(submit);
    // What bitcoind says of a block that is not the best and therefore not checked in full.
    const ours = kept ? 'inconclusive' : refused;
    const subject = `block ${toHex(raw)}`;
    this.#questions.push({
      subject,
      ours,
      calls: [clock, ['submitblock', toHex(raw)]],
      mayBeStricter: false,
      reasonIn: blockReasonIn,
    });
    return ours;
  }

  /** What both said of all that was handed over since the last time. Fails where we accepted and bitcoind does not. */
  async ask(): Promise<readonly Verdict[]> {
    const questions = this.#questions.splice(0);
    if (questions.length === 0) return [];
    const answers = await this.#node.batch(questions.flatMap(({ calls }) => calls));
    let at = -1;
    return questions.flatMap(({ subject, ours, calls, mayBeStricter, reasonIn }) => {
      at += calls.length;
      const theirs = reasonIn(answers[at]!);
      if (theirs === UNREAD && ours !== undefined) return [];
      assert.ok(ours !== undefined || theirs === undefined, `we accept what bitcoind refuses: ${theirs} ${subject}`);
      assert.ok(mayBeStricter || ours === undefined || theirs !== undefined, `only we refuse: ${ours} ${subject}`);
      return [{ ours, theirs, subject }];
    });
  }

  /** One transaction, at both. */
  async one(tx: Tx): Promise<Omit<Verdict, 'subject'>> {
    const reason = await this.tx(tx);
    const [{ ours, theirs } = { ours: reason, theirs: reason }] = await this.ask();
    await this.compareMempools();
    return { ours, theirs };
  }

  /** A parent with its child, at both. Returns our reason. */
  async pair(parent: Tx, child: Tx): Promise<string | undefined> {
    const { ours } = await this.family(parent, child);
    await this.compareMempools();
    return ours;
  }

  /** A parent with its child, at both. Where only bitcoind takes them, they are in the next block of both. */
  async family(parent: Tx, child: Tx): Promise<FamilyVerdict> {
    if ((await this.#isForeign(parent)) || (await this.#isForeign(child))) return { ours: FOREIGN, theirs: [FOREIGN] };
    const ours = await reasonOf(this.#world.chain.broadcastPackage(parent, child));
    const [{ result, error }] = (await this.#node.batch([
      ['submitpackage', [txHex(parent), txHex(child)], ...NO_CAPS],
    ])) as [RpcAnswer];
    const theirs = error ? [error.message] : reasonsIn(result as PackageResult);
    if (theirs[0] === 'success') {
      if (ours !== undefined) await this.#takeOver();
      return { ours, theirs: [] };
    }
    assert.ok(ours !== undefined, `we accept what bitcoind refuses: ${theirs} ${txHex(parent)} ${txHex(child)}`);
    return { ours, theirs };
  }

  async mine(count: number): Promise<void> {
    await this.#world.chain.mine(count);
    await this.sync();
  }

  async compareMempools(): Promise<void> {
    const theirs = await this.#node.rpc<Txid[]>('getrawmempool');
    assert.deepEqual(theirs.sort(), [...(await this.#ours()).keys()].sort());
  }

  async #isForeign(tx: Tx): Promise<boolean> {
    if (!tx.outputs.some(({ script }) => script.length > MAX_FOREIGN_SCRIPT && !isOpReturn(script))) return false;
    this.#isKnots ??= (await this.#node.rpc<{ subversion: string }>('getnetworkinfo')).subversion.includes('Knots');
    return this.#isKnots;
  }

  /** Our clock is never behind the chain's median time. */
  async #clock(): Promise<RpcCall> {
    const { chain, time } = this.#world;
    return ['setmocktime', Math.max(time, (await chain.tip()).medianTime)];
  }

  async #syncBlocks(): Promise<void> {
    const { chain } = this.#world;
    await this.#node.batch([await this.#clock()]);
    const { height } = await chain.tip();
    const hashes: string[] = [];
    for (let at = 1; at <= height; at++) hashes.push((await chain.explorer.blockHash(at))!);
    const shared = this.#hashes.findIndex((hash, i) => hash !== hashes[i]);
    const from = shared < 0 ? this.#hashes.length : shared;
    const fork = this.#hashes[from];
    const known = (await this.#node.rpc('getbestblockhash')) === hashes.at(-1);
    if (fork !== undefined && !known) await this.#node.rpc('invalidateblock', fork);
    const added = known ? [] : hashes.slice(from);
    const raws = await Promise.all(added.map(async (hash) => toHex((await chain.explorer.rawBlock(hash))!)));
    const answers = await this.#node.batch(raws.map((raw): RpcCall => ['submitblock', raw]));
    for (const [i, answer] of answers.entries()) {
      const reason = blockReasonIn(answer);
      // A block handed to both is there already.
      assert.ok(reason === undefined || reason === 'duplicate', `bitcoind refuses block ${added[i]}: ${reason}`);
    }
    this.#hashes = hashes;
    assert.equal(await this.#node.rpc('getbestblockhash'), (await chain.tip()).hash);
  }

  async #ours(): Promise<Map<Txid, Tx>> {
    return new Map((await this.#world.chain.explorer.mempool()).map(({ txid, tx }) => [txid, tx]));
  }

  /** Has bitcoind mine what it alone accepted: policy may differ but consensus not, so we have to take the block. */
  async #takeOver(): Promise<void> {
    const [hash] = await this.#node.rpc<string[]>('generatetodescriptor', 1, 'raw(51)');
    const raw = await this.#node.rpc<string>('getblock', hash, 0);
    assert.equal(await reasonOf(this.#world.chain.submitBlock(fromHex(raw))), undefined);
  }
}
