// Written by signatures.mjs from onnxruntime_c_api.h of API version 29 (425 functions); not by hand.

/** The version of the C API that the table is of: asked of the library by this number. */
export const API_VERSION = 29;

/** How many functions the table of that version has. */
export const API_LENGTH = 425;

/** Place in the table, result and parameters of each function used here, as koffi writes types. */
export const signatures = {
  GetErrorMessage: { index: 2, result: "const char *", parameters: ["void *"] },
  ReleaseStatus: { index: 93, result: "void", parameters: ["void *"] },
  CreateEnv: { index: 3, result: "void *", parameters: ["int", "const char *", "void *"] },
  CreateSessionOptions: { index: 10, result: "void *", parameters: ["void *"] },
  ReleaseSessionOptions: { index: 100, result: "void", parameters: ["void *"] },
  SetIntraOpNumThreads: { index: 24, result: "void *", parameters: ["void *", "int"] },
  SetSessionGraphOptimizationLevel: { index: 23, result: "void *", parameters: ["void *", "int"] },
  DisableMemPattern: { index: 17, result: "void *", parameters: ["void *"] },
  SetSessionLogSeverityLevel: { index: 22, result: "void *", parameters: ["void *", "int"] },
  AddSessionConfigEntry: { index: 130, result: "void *", parameters: ["void *", "const char *", "const char *"] },
  AddInitializer: { index: 150, result: "void *", parameters: ["void *", "const char *", "void *"] },
  CreateSessionFromArray: { index: 8, result: "void *", parameters: ["void *", "void *", "size_t", "void *", "void *"] },
  CreatePrepackedWeightsContainer: { index: 166, result: "void *", parameters: ["void *"] },
  CreateSessionFromArrayWithPrepackedWeightsContainer: { index: 169, result: "void *", parameters: ["void *", "void *", "size_t", "void *", "void *", "void *"] },
  ReleasePrepackedWeightsContainer: { index: 167, result: "void", parameters: ["void *"] },
  ReleaseSession: { index: 95, result: "void", parameters: ["void *"] },
  SessionGetInputCount: { index: 30, result: "void *", parameters: ["void *", "void *"] },
  SessionGetInputName: { index: 36, result: "void *", parameters: ["void *", "size_t", "void *", "void *"] },
  SessionGetOutputCount: { index: 31, result: "void *", parameters: ["void *", "void *"] },
  SessionGetOutputName: { index: 37, result: "void *", parameters: ["void *", "size_t", "void *", "void *"] },
  GetAllocatorWithDefaultOptions: { index: 78, result: "void *", parameters: ["void *"] },
  AllocatorFree: { index: 76, result: "void *", parameters: ["void *", "void *"] },
  CreateCpuMemoryInfo: { index: 69, result: "void *", parameters: ["int", "int", "void *"] },
  CreateTensorWithDataAsOrtValue: { index: 49, result: "void *", parameters: ["void *", "void *", "size_t", "void *", "size_t", "int", "void *"] },
  GetTensorMutableData: { index: 51, result: "void *", parameters: ["void *", "void *"] },
  GetTensorTypeAndShape: { index: 65, result: "void *", parameters: ["void *", "void *"] },
  GetTensorElementType: { index: 60, result: "void *", parameters: ["void *", "void *"] },
  GetDimensionsCount: { index: 61, result: "void *", parameters: ["void *", "void *"] },
  GetDimensions: { index: 62, result: "void *", parameters: ["void *", "void *", "size_t"] },
  ReleaseTensorTypeAndShapeInfo: { index: 99, result: "void", parameters: ["void *"] },
  ReleaseValue: { index: 96, result: "void", parameters: ["void *"] },
  CreateRunOptions: { index: 39, result: "void *", parameters: ["void *"] },
  RunOptionsSetTerminate: { index: 46, result: "void *", parameters: ["void *"] },
  ReleaseRunOptions: { index: 97, result: "void", parameters: ["void *"] },
  Run: { index: 9, result: "void *", parameters: ["void *", "void *", "void *", "void *", "size_t", "void *", "size_t", "void *"] },
  RegisterExecutionProviderLibrary: { index: 301, result: "void *", parameters: ["void *", "const char *", "void *"] },
  GetEpDevices: { index: 303, result: "void *", parameters: ["void *", "void *", "void *"] },
  EpDevice_EpName: { index: 312, result: "const char *", parameters: ["void *"] },
  EpDevice_EpVendor: { index: 313, result: "const char *", parameters: ["void *"] },
  EpDevice_EpMetadata: { index: 314, result: "void *", parameters: ["void *"] },
  EpDevice_Device: { index: 316, result: "void *", parameters: ["void *"] },
  HardwareDevice_Type: { index: 307, result: "int", parameters: ["void *"] },
  GetKeyValue: { index: 297, result: "const char *", parameters: ["void *", "const char *"] },
  SessionOptionsAppendExecutionProvider_V2: { index: 304, result: "void *", parameters: ["void *", "void *", "void *", "size_t", "void *", "void *", "size_t"] },
  Session_GetEpGraphAssignmentInfo: { index: 407, result: "void *", parameters: ["void *", "void *", "void *"] },
  EpAssignedSubgraph_GetEpName: { index: 408, result: "void *", parameters: ["void *", "void *"] },
  EpAssignedSubgraph_GetNodes: { index: 409, result: "void *", parameters: ["void *", "void *", "void *"] },
  EpAssignedNode_GetOperatorType: { index: 412, result: "void *", parameters: ["void *", "void *"] },
} as const;
