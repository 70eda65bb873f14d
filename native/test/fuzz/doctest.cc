// What the support of the tests is written with, but not its main(): a fuzzer has one of its own.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv);

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  static doctest::Context outside;
  outside.setAsDefaultForAssertsOutOfTestCases();
  return 0;
}
