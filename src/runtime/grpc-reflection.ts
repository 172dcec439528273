/** grpc.reflection.v1: what the server's services look like, for tools such as grpcurl. */
import { createRegistry, type DescFile, type DescService, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import type { ConnectRouter } from '@connectrpc/connect';
import { ServerReflection, type ServerReflectionRequest } from './gen/grpc/reflection/v1/reflection_pb.ts';

const NOT_FOUND = 5;
const UNIMPLEMENTED = 12;

type Question = ServerReflectionRequest['messageRequest'];

/** A file with all that it imports, each once. */
function withImports(file: DescFile, found = new Set<DescFile>()): Set<DescFile> {
  found.add(file);
  for (const each of file.dependencies) if (!found.has(each)) withImports(each, found);
  return found;
}

const refusal = (errorCode: number, errorMessage: string) => ({
  messageResponse: { case: 'errorResponse' as const, value: { errorCode, errorMessage } },
});

const fileResponse = (file: DescFile | undefined) => {
  if (!file) return refusal(NOT_FOUND, 'not found');
  const fileDescriptorProto = [...withImports(file)].map((each) => toBinary(FileDescriptorProtoSchema, each.proto));
  return { messageResponse: { case: 'fileDescriptorResponse' as const, value: { fileDescriptorProto } } };
};

export function mountGrpcReflection(router: ConnectRouter, services: readonly DescService[]): void {
  const all = [...services, ServerReflection];
  const files = new Set(all.flatMap(({ file }) => [...withImports(file)]));
  const byName = new Map([...files].map((file) => [file.proto.name, file]));
  const registry = createRegistry(...files);

  /** A method, a field or a value stands in the file of what it belongs to. */
  function fileOf(symbol: string): DescFile | undefined {
    const [file, parent] = [registry.get(symbol)?.file, symbol.slice(0, Math.max(0, symbol.lastIndexOf('.')))];
    return file ?? (parent === '' ? undefined : registry.get(parent)?.file);
  }

  function answer(question: Question) {
    switch (question.case) {
      case 'listServices': {
        const service = all.map(({ typeName }) => ({ name: typeName }));
        return { messageResponse: { case: 'listServicesResponse' as const, value: { service } } };
      }
      case 'fileByFilename':
        return fileResponse(byName.get(question.value));
      case 'fileContainingSymbol':
        return fileResponse(fileOf(question.value));
      case 'fileContainingExtension': {
        const { containingType, extensionNumber } = question.value;
        const message = registry.getMessage(containingType);
        return fileResponse(message && registry.getExtensionFor(message, extensionNumber)?.file);
      }
      case 'allExtensionNumbersOfType': {
        const extensionNumber = [...registry]
          .filter((each) => each.kind === 'extension' && each.extendee.typeName === question.value)
          .map((each) => (each.kind === 'extension' ? each.number : 0));
        const value = { baseTypeName: question.value, extensionNumber };
        return { messageResponse: { case: 'allExtensionNumbersResponse' as const, value } };
      }
      default:
        return refusal(UNIMPLEMENTED, 'no such question');
    }
  }

  router.service(ServerReflection, {
    async *serverReflectionInfo(requests) {
      for await (const request of requests) {
        yield { validHost: request.host, originalRequest: request, ...answer(request.messageRequest) };
      }
    },
  });
}
