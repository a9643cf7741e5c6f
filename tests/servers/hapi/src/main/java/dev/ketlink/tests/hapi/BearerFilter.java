// Lets a request pass only with the bearer token of the token file; the CapabilityStatement is public.
package dev.ketlink.tests.hapi;

import jakarta.servlet.Filter;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;

final class BearerFilter implements Filter {
    private static final String OUTCOME = "{\"resourceType\":\"OperationOutcome\",\"issue\":[{\"severity\":\"error\","
            + "\"code\":\"login\",\"details\":{\"text\":\"Bearer token missing or wrong\"}}]}";

    private final byte[] expected;

    BearerFilter(String token) {
        expected = ("Bearer " + token).getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public void doFilter(ServletRequest request, ServletResponse response, FilterChain chain)
            throws IOException, ServletException {
        HttpServletRequest http = (HttpServletRequest) request;
        if (http.getRequestURI().equals("/fhir/R4/metadata") || authorized(http)) {
            chain.doFilter(request, response);
            return;
        }
        HttpServletResponse answer = (HttpServletResponse) response;
        answer.setStatus(401);
        answer.setHeader("WWW-Authenticate", "Bearer realm=\"fhir\"");
        answer.setContentType("application/fhir+json;charset=utf-8");
        answer.getWriter().write(OUTCOME);
    }

    private boolean authorized(HttpServletRequest request) {
        String header = request.getHeader("Authorization");
        return header != null && MessageDigest.isEqual(expected, header.getBytes(StandardCharsets.UTF_8));
    }
}
