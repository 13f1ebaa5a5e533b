// Modules: images made by tools/stubs.cpp, which name a library of kernels next to this one and the chip they pretend to
// be for.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "simt/registry.h"
#include "world.h"

namespace weft::driver {

struct Function {
    std::weak_ptr<Image> image;
    std::string module;
    simt::Kernel kernel;
    int sm;  // that it was compiled for
    bool own_features;  // which other chips, even later ones, lack
    int most_shared_bytes = 48 << 10;
};

struct Image {
    std::shared_ptr<Context> context;
    std::string name;
    std::map<std::string, void *> functions;  // handles
};

/** Loads an image for the chip, or says why not in `why`. */
int load_image(const void *data, const std::shared_ptr<Context> &context, std::shared_ptr<Image> &image,
               std::string &why);
void unload(Image &image);

}  // namespace weft::driver
