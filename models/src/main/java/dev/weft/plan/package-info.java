/**
 * What a model costs before it is loaded: parameters, bytes, FLOPs of a token and cache at any context, from
 * {@code config.json} alone; and what that means on devices of a kind: layouts that fit, times by the roofline.
 */
package dev.weft.plan;
