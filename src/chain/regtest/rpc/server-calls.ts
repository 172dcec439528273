/** Calls about the node itself, and about addresses and descriptors. */
import { toHex } from '../../../base/bytes.ts';
import { parseAddress } from '../../../bitcoin/address.ts';
import { witnessProgram } from '../../../bitcoin/script.ts';
import { type ScriptType, scriptTypeOf } from '../../script-type.ts';
import { checkedExpression, parseDescriptor } from './descriptor.ts';
import { checksumOf } from './descriptor-checksum.ts';
import { RpcError } from './error.ts';
import { btcJson } from './json.ts';
import { type Method, method, type RpcContext } from './method.ts';

/** The bitcoind whose answers these are shaped like. */
const CORE_VERSION = 290_000;
const PROTOCOL_VERSION = 70_016;
/** Network and witness, as the bits and names that peers would be told. */
const SERVICES = { bits: '0000000000000009', names: ['NETWORK', 'WITNESS'] } as const;

/** What an address may hide a script in. */
const SCRIPT_TYPES: ReadonlySet<ScriptType> = new Set([
  'scripthash',
  'witness_v0_scripthash',
  'witness_v1_taproot',
  'anchor',
]);

function addressJson(address: string) {
  let script: Uint8Array;
  try {
    script = parseAddress('regtest', address);
  } catch {
    return { isvalid: false, error_locations: [], error: 'Invalid or unsupported Segwit (Bech32) or Base58 encoding.' };
  }
  const program = witnessProgram(script);
  const type = scriptTypeOf(script);
  return {
    isvalid: true,
    address,
    scriptPubKey: toHex(script),
    // Nobody knows yet what other programs are.
    ...(type !== 'witness_unknown' && { isscript: SCRIPT_TYPES.has(type) }),
    iswitness: program !== undefined,
    ...(program && type !== 'anchor' && { witness_version: program.version, witness_program: toHex(program.program) }),
  };
}

export function serverCalls({ node, secp, version, uptime }: RpcContext): readonly Method[] {
  return [
    method('getnetworkinfo', 'The version, and a network of nobody else.', () => ({
      version: CORE_VERSION,
      // Clients tell nodes apart by this; ours is named in the comment.
      subversion: `/Satoshi:29.0.0(canalworks:${version})/`,
      protocolversion: PROTOCOL_VERSION,
      localservices: SERVICES.bits,
      localservicesnames: SERVICES.names,
      localrelay: true,
      timeoffset: 0,
      networkactive: true,
      connections: 0,
      connections_in: 0,
      connections_out: 0,
      networks: [],
      relayfee: btcJson(node.minRelayRate),
      incrementalfee: btcJson(node.minRelayRate),
      localaddresses: [],
      warnings: [],
    })),
    method('getconnectioncount', 'There are no peers.', () => 0),
    method('getpeerinfo', 'There are no peers.', () => []),
    method('getzmqnotifications', 'There are none.', () => []),
    method('getindexinfo [index_name]', 'The transaction index, which is always there.', (args) => {
      const isOther = args.has('index_name') && args.string('index_name') !== 'txindex';
      return isOther ? {} : { txindex: { synced: true, best_block_height: node.ledger.height } };
    }),
    method('uptime', 'Seconds since the start.', uptime),
    method('validateaddress address', 'Is it an address, and what does it pay to?', (args) =>
      addressJson(args.string('address')),
    ),
    method('getdescriptorinfo descriptor', 'A descriptor with its checksum.', (args) => {
      const expression = checkedExpression(args.string('descriptor'));
      parseDescriptor(secp, expression);
      const checksum = checksumOf(expression);
      return {
        descriptor: `${expression}#${checksum}`,
        checksum,
        isrange: false,
        issolvable: !/^(raw|addr)\(/.test(expression),
        hasprivatekeys: false,
      };
    }),
    method('stop [wait]', 'Refused: the chain ends with the process that runs it.', () => {
      throw new RpcError('misc', 'the embedded chain stops with canalworks: end that process');
    }),
  ];
}
