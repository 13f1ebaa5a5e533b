/*
 * Declarations in all the styles that installed headers show. Not a copy of any header.
 */
#ifndef WEFT_TEST_DECLARATIONS_H_
#define WEFT_TEST_DECLARATIONS_H_

#include <stdint.h>
#define ACL_FUNC_VISIBILITY __attribute__((visibility("default")))
#define MULTI_LINE(x) \
    aclError aclrtMalloc(int wrong); \
    x

typedef int aclError;
typedef int32_t aclnnStatus;
typedef void *aclrtStream, *aclrtEvent;
typedef void* HcclComm;
typedef unsigned long long u64;
typedef struct aclOpExecutor aclOpExecutor;
typedef struct aclTensor aclTensor;
typedef struct aclTensorList aclTensorList;
typedef struct aclScalar aclScalar;
typedef struct aclIntArray aclIntArray;
typedef enum {
    ACL_DT_UNDEFINED = -1,
    ACL_FLOAT = 0, // a comment with aclError aclInit(int wrong);
} aclDataType;
typedef enum tagMemcpyKind { ACL_MEMCPY_HOST_TO_HOST, } aclrtMemcpyKind;
typedef void (*aclrtCallback)(void *userData);
typedef struct Pair { int a; union { int b; float c; } u; } Pair, *PairHandle;

#ifdef __cplusplus
extern "C" {
#endif

// one line, attribute macro in front
ACL_FUNC_VISIBILITY aclError aclInit(const char *configPath);
ACL_DEPRECATED_MESSAGE("use (another), please") ACL_FUNC_VISIBILITY aclError aclFinalize();
extern const char *aclGetRecentErrMsg(void);

/* over lines, attribute spelled out, const behind, stars anywhere */
__attribute__((visibility("default"))) aclnnStatus aclnnAddGetWorkspaceSize(
    aclTensor const *self,
    const aclTensor* other,   // trailing comment, with a comma
    const aclScalar  * alpha,
    aclTensor *out,
    uint64_t * /* bytes */ workspaceSize,
    aclOpExecutor **executor);

__attribute__((visibility("default")))
aclnnStatus aclnnAdd(void *workspace, uint64_t workspaceSize, aclOpExecutor *executor,
                     const aclrtStream stream);

// defaults, unnamed parameters, aliases, arrays, elaborated types
aclError aclrtMemcpyAsync(void *, size_t, const void *, unsigned long = sizeof(int[4]), aclrtMemcpyKind = {},
                          aclrtStream = nullptr) __attribute__((weak));
[[deprecated("no comma, no (")]] aclError aclrtStreamWaitEvent(void *stream, aclrtEvent event);
extern HcclResult HcclBroadcast(void *buf, u64 count, HcclDataType dataType, uint32_t root, HcclComm comm,
                                aclrtStream stream);
struct aclIntArray *aclCreateIntArray(const int64_t value[], uint64_t size);
inline HcclResult HcclGetCommName(HcclComm comm, char commName[128])
{
    return HcclBroadcast(nullptr, 0, {}, 0, comm, nullptr); // a call is no declaration
}

#if 0
aclError aclrtFree(int *wrong, int wronger);
# if 1
aclError aclrtFree(char);
# endif
#else
aclError aclrtFree(void *devPtr);
#endif

#ifdef __cplusplus
}
namespace acl { aclError aclrtMallocHost(void **hostPtr, std::size_t size); }
#endif
#endif
