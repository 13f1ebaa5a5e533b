// Start, end, versions, messages, facts about the machine; the emulator's own three functions.
#include <cstdio>
#include <cstring>

#include "acl/acl_rt.h"
#include "capture.h"
#include "numeric.h"
#include "world.h"

namespace {

std::string version_text() {
    return "WEFT EMULATOR " + emu::config().version + ", no Ascend hardware";
}

struct Version {
    int major = 0, minor = 0, patch = 0;

    Version() { std::sscanf(emu::config().version.c_str(), "%d.%d.%d", &major, &minor, &patch); }
};

}  // namespace

extern "C" {

ACL_FUNC_VISIBILITY int weftEmulatorConfigure(const char* key, const char* value) {
    return emu::configure(key, value);
}

ACL_FUNC_VISIBILITY const char* weftEmulatorFaults(void) {
    static thread_local std::string faults;
    faults = emu::take_faults();
    return faults.c_str();
}

ACL_FUNC_VISIBILITY int64_t weftEmulatorCount(const char* what) {
    return emu::count(what);
}

aclError aclInit(const char*) {
    emu::expire_message();
    return emu::init();
}

aclError aclFinalize(void) {
    emu::expire_message();
    return emu::finalize();
}

aclError aclFinalizeReference(uint64_t* refCount) {
    int code = aclFinalize();
    if (refCount != nullptr) {
        *refCount = 0;
    }
    return code;
}

const char* aclGetRecentErrMsg(void) {
    return emu::take_message();
}

aclError aclrtGetLastError(aclrtLastErrLevel) {
    return emu::last_error(true);
}

aclError aclrtPeekAtLastError(aclrtLastErrLevel) {
    return emu::last_error(false);
}

aclError aclrtGetVersion(int32_t* majorVersion, int32_t* minorVersion, int32_t* patchVersion) {
    *majorVersion = 1;
    *minorVersion = 16;
    *patchVersion = 0;
    return ACL_SUCCESS;
}

aclError aclsysGetCANNVersion(aclCANNPackageName, aclCANNPackageVersion* version) {
    std::memset(version, 0, sizeof *version);
    Version v;
    std::snprintf(version->version, sizeof version->version, "%s", version_text().c_str());
    std::snprintf(version->majorVersion, sizeof version->majorVersion, "%d", v.major);
    std::snprintf(version->minorVersion, sizeof version->minorVersion, "%d", v.minor);
    std::snprintf(version->releaseVersion, sizeof version->releaseVersion, "%d", v.patch);
    return ACL_SUCCESS;
}

aclError aclsysGetVersionStr(char*, char* versionStr) {
    std::strcpy(versionStr, version_text().c_str());
    return ACL_SUCCESS;
}

aclError aclsysGetVersionNum(char*, int32_t* versionNum) {
    Version v;
    *versionNum = v.major * 10000000 + v.minor * 100000 + v.patch * 1000;
    return ACL_SUCCESS;
}

const char* aclrtGetSocName(void) {
    if (!emu::world().ready) {
        return nullptr;
    }
    return emu::config().soc_name.c_str();
}

aclError aclrtGetRunMode(aclrtRunMode* runMode) {
    EMU_ENTER("aclrtGetRunMode");
    *runMode = ACL_HOST;
    return ACL_SUCCESS;
}

aclError aclrtGetDeviceCount(uint32_t* count) {
    EMU_ENTER("aclrtGetDeviceCount");
    *count = static_cast<uint32_t>(emu::config().devices);
    return ACL_SUCCESS;
}

aclError aclrtGetDeviceInfo(uint32_t deviceId, aclrtDevAttr attr, int64_t* value) {
    EMU_ENTER("aclrtGetDeviceInfo");
    if (deviceId >= static_cast<uint32_t>(emu::config().devices)) {
        return emu::fail(ACL_ERROR_RT_INVALID_DEVICEID, "aclrtGetDeviceInfo: no device " + std::to_string(deviceId));
    }
    const emu::Product& p = emu::product();
    switch (attr) {
        case ACL_DEV_ATTR_AICPU_CORE_NUM:
            *value = 8;
            return ACL_SUCCESS;
        case ACL_DEV_ATTR_AICORE_CORE_NUM:
        case ACL_DEV_ATTR_CUBE_CORE_NUM:
            *value = p.cube_cores;
            return ACL_SUCCESS;
        case ACL_DEV_ATTR_VECTOR_CORE_NUM:
            *value = p.vector_cores;
            return ACL_SUCCESS;
        case ACL_DEV_ATTR_UBUF_PER_VECTOR_CORE:
            *value = p.soc == emu::Soc::A2 || p.soc == emu::Soc::A3 ? 192 << 10 : 248 << 10;
            return ACL_SUCCESS;
        case ACL_DEV_ATTR_TOTAL_GLOBAL_MEM_SIZE:
            *value = static_cast<int64_t>(emu::config().memory);
            return ACL_SUCCESS;
        case ACL_DEV_ATTR_L2_CACHE_SIZE:
            *value = static_cast<int64_t>(p.l2);
            return ACL_SUCCESS;
        default:
            return emu::fail(ACL_ERROR_INVALID_PARAM, "aclrtGetDeviceInfo: attribute " + std::to_string(attr) +
                             " is not emulated");
    }
}

aclError aclGetDeviceCapability(uint32_t deviceId, aclDeviceInfo deviceInfo, int64_t* value) {
    static const aclrtDevAttr attributes[] = {ACL_DEV_ATTR_AICORE_CORE_NUM, ACL_DEV_ATTR_VECTOR_CORE_NUM,
                                              ACL_DEV_ATTR_L2_CACHE_SIZE};
    if (deviceInfo < ACL_DEVICE_INFO_AI_CORE_NUM || deviceInfo > ACL_DEVICE_INFO_L2_SIZE) {
        return emu::fail(ACL_ERROR_INVALID_PARAM, "aclGetDeviceCapability: no such value");
    }
    return aclrtGetDeviceInfo(deviceId, attributes[deviceInfo], value);
}

aclError aclrtSetSysParamOpt(aclSysParamOpt opt, int64_t value) {
    EMU_ENTER("aclrtSetSysParamOpt");
    emu::Lock lock(emu::world().mutex);
    emu::world().options[opt] = value;
    return ACL_SUCCESS;
}

aclError aclrtGetSysParamOpt(aclSysParamOpt opt, int64_t* value) {
    EMU_ENTER("aclrtGetSysParamOpt");
    emu::Lock lock(emu::world().mutex);
    *value = emu::world().options[opt];
    return ACL_SUCCESS;
}

float aclFloat16ToFloat(aclFloat16 value) {
    return emu::half_to_float(value);
}

aclFloat16 aclFloatToFloat16(float value) {
    return emu::float_to_half(value);
}

size_t aclDataTypeSize(aclDataType dataType) {
    return static_cast<size_t>(emu::dtype_bits(dataType) + 7) / 8;
}

}  // extern "C"
